package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Every value of a known key is read by one of the functions here. The error is
// the reason alone: who calls knows the place, the key and the value.

func wrongType(want string, n *node) error {
	return fmt.Errorf("wrong type: want %s, not %s", want, n.kind())
}

// kind names the type of a value for people.
func (n *node) kind() string {
	if n.isTable() {
		return "a table"
	}
	switch n.value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	}
	return "a table"
}

func (n *node) asText() (string, error) {
	if s, ok := n.value.(string); ok && !n.isTable() {
		return s, nil
	}
	return "", wrongType("a text", n)
}

// oneOf reads one of a few words.
func oneOf[T ~string](n *node, words ...T) (T, error) {
	s, err := n.asText()
	if err != nil {
		return "", err
	}
	names := make([]string, len(words))
	for i, word := range words {
		if names[i] = string(word); s == names[i] {
			return word, nil
		}
	}
	return "", &reason{text: "must be " + orList(names), nearest: nearest(s, names)}
}

// reason is why a value is refused, together with a better one.
type reason struct{ text, nearest string }

func (r *reason) Error() string { return r.text }

// orList writes a, b or c.
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// asInt reads a whole number within bounds.
func (n *node) asInt(low, high int64) (int64, error) {
	var i int64
	switch v := n.value.(type) {
	case int64:
		i = v
	case float64: // JSON and YAML write 5.0 as well
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
			return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		i = int64(v)
	case string:
		parsed, err := strconv.ParseInt(v, 10, 64)
		if !n.text {
			return 0, wrongType("a whole number", n)
		}
		if err != nil {
			return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		i = parsed
	default:
		return 0, wrongType("a whole number", n)
	}
	if i < low || i > high {
		return 0, fmt.Errorf("must be from %d to %d", low, high)
	}
	return i, nil
}

// asDuration reads a duration such as 1s, 1m30s or 250ms, within bounds.
func (n *node) asDuration(low, high time.Duration) (time.Duration, error) {
	s, ok := n.value.(string)
	if !ok {
		return 0, wrongType(`a duration such as "30s"`, n)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New(`must be a duration such as "30s", "1m30s" or "250ms"`)
	}
	if d < low || d > high {
		return 0, fmt.Errorf("must be from %v to %v", low, high)
	}
	return d, nil
}

// asSize reads a size such as 512KiB or 64MiB, within bounds, in bytes.
func (n *node) asSize(low, high int64) (int64, error) {
	s, ok := n.value.(string)
	if !ok {
		return 0, wrongType(`a size such as "64MiB"`, n)
	}
	size, err := parseSize(s)
	if err != nil {
		return 0, err
	}
	if size < low || size > high {
		return 0, fmt.Errorf("must be from %s to %s", formatSize(low), formatSize(high))
	}
	return size, nil
}

func sizeUnits() []string { return []string{"B", "KiB", "MiB", "GiB", "TiB"} }

func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTPEZYkmgtpezyib ")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number < 0 {
		return 0, errors.New(`must be a size such as "64MiB"`)
	}
	unit := strings.TrimSpace(s[len(digits):])
	for i, name := range sizeUnits() {
		if unit != name {
			continue
		}
		if shift := 10 * i; number <= math.MaxInt64>>shift {
			return number << shift, nil
		}
		return 0, errors.New("is too big")
	}
	return 0, &reason{text: "the unit must be " + orList(sizeUnits()), nearest: nearestUnit(digits, unit)}
}

// nearestUnit offers 64MiB for 64MB, 64M or 64m.
func nearestUnit(digits, unit string) string {
	for _, name := range sizeUnits()[1:] {
		if unit != "" && strings.EqualFold(unit[:1], name[:1]) {
			return digits + name
		}
	}
	return ""
}

func formatSize(size int64) string {
	unit := 0
	for size >= 1024 && size%1024 == 0 && unit < len(sizeUnits())-1 {
		size >>= 10
		unit++
	}
	return strconv.FormatInt(size, 10) + sizeUnits()[unit]
}

// asTexts reads a list of texts; one text stands for a list of one. Where the
// source knows texts only, commas separate them.
func (n *node) asTexts() ([]string, error) {
	switch v := n.value.(type) {
	case string:
		if !n.text {
			return []string{v}, nil
		}
		var list []string
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("wrong type: entry %d must be a text, not %s", i+1, (&node{value: item}).kind())
			}
			list[i] = s
		}
		return list, nil
	}
	return nil, wrongType("a text or a list of texts", n)
}
