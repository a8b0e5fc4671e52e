package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Value is one value as it was read.
type Value struct {
	Kind  byte
	Text  string  // of what is no aggregate and not null
	Items []Value // of an aggregate; of a map, keys and values in turn
}

// Null tells whether v is null, which RESP2 writes as a bulk string or as an array
// without a length.
func (v Value) Null() bool { return v.Kind == KindNull }

// ErrValue is what this package wraps when bytes are no value of RESP.
var ErrValue = errors.New("no value of RESP")

// ParseValue reads all of b as one value, of RESP2 or RESP3. What is said about values
// in attributes is left out.
func ParseValue(b []byte) (Value, error) {
	v, rest, err := parseValue(b, maxDepth)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow", len(rest))
	}
	if err != nil {
		return Value{}, fmt.Errorf("cannot read value: %w: %w", ErrValue, err)
	}
	return v, nil
}

// parseValue reads the value at the start of b. It takes memory in proportion to b.
func parseValue(b []byte, depth int) (v Value, rest []byte, err error) {
	if depth == 0 {
		return v, nil, fmt.Errorf("values are nested more than %d times", maxDepth)
	}
	t, size, err := next(b, len(b))
	if err != nil {
		return v, nil, err
	}
	rest = b[size:]
	v = Value{Kind: t.kind, Text: string(t.text)}
	for range t.count {
		var item Value
		if item, rest, err = parseValue(rest, depth-1); err != nil {
			return v, nil, err
		}
		v.Items = append(v.Items, item)
	}
	switch t.kind {
	case kindAttribute:
		return parseValue(rest, depth-1)
	case KindVerbatim:
		v.Text = v.Text[4:]
	}
	return v, rest, nil
}

// Any gives v as Go has it: nil, string, int64, float64, bool, []any, or map[string]any
// for a map. What is not among these is its text; an error is a *status.Status.
func (v Value) Any() any {
	switch v.Kind {
	case KindNull:
		return nil
	case KindError, KindBulkError:
		return failure(v.Text)
	case KindInteger:
		n, err := parseInteger(v.Text)
		if err != nil {
			return v.Text
		}
		return n
	case KindDouble:
		f, err := parseDouble(v.Text)
		if err != nil {
			return v.Text
		}
		return f
	case KindBool:
		return v.Text == "t"
	case KindArray, KindSet, KindPush:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = item.Any()
		}
		return list
	case KindMap:
		m := make(map[string]any, len(v.Items)/2)
		for i := 0; i+1 < len(v.Items); i += 2 {
			m[v.Items[i].Text] = v.Items[i+1].Any()
		}
		return m
	default:
		return v.Text
	}
}

func parseInteger(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// parseDouble reads inf, -inf and nan as well.
func parseDouble(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// formatDouble is the reverse.
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	default:
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
}
