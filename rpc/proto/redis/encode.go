package redis

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/dserver/dserver/rpc/status"
)

// Simple is a short text that says how it went, such as OK. It is sent without a length,
// so that ends of lines in it become spaces.
type Simple string

// Pairs is a map whose pairs have an order: key, value, key, value.
type Pairs []any

// Set is a list without an order of which no item is there twice.
type Set []any

// AppendValue appends v as a value of RESP3:
//
//   - nil and nil pointers are null, bools and floats what they are, integers too; an
//     unsigned one that is no int64 is a big number.
//   - string and []byte are bulk strings, [Simple] is a simple one.
//   - Slices and arrays are arrays, [Set] is a set; maps and [Pairs] are maps. Maps of Go
//     are sorted by the bytes of their keys.
//   - *status.Status is an error, [Value] itself.
//
// Other types are refused, and so is what is nested more than 32 times. After an error
// the result is dst as it was.
func AppendValue(dst []byte, v any) ([]byte, error) {
	out, err := appendAny(dst, v, maxDepth)
	if err != nil {
		return dst, fmt.Errorf("cannot write value: %w", err)
	}
	return out, nil
}

func appendAny(dst []byte, v any, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, fmt.Errorf("values are nested more than %d times", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "_\r\n"...), nil
	case string:
		return appendBulk(dst, KindBulk, v), nil
	case []byte:
		return appendBulk(dst, KindBulk, string(v)), nil
	case int:
		return appendInteger(dst, KindInteger, int64(v)), nil
	case Simple:
		return appendLine(dst, KindSimple, string(v)), nil
	case Pairs:
		if len(v)%2 != 0 {
			return nil, fmt.Errorf("there are %d keys and values", len(v))
		}
		return appendList(appendInteger(dst, KindMap, int64(len(v)/2)), v, depth)
	case Set:
		return appendList(appendInteger(dst, KindSet, int64(len(v))), v, depth)
	case []any:
		return appendList(appendInteger(dst, KindArray, int64(len(v))), v, depth)
	case *status.Status:
		if v == nil {
			return append(dst, "_\r\n"...), nil
		}
		return appendLine(dst, KindError, errorText(v)), nil
	case Value:
		return appendParsed(dst, v, depth)
	default:
		return appendReflected(dst, reflect.ValueOf(v), depth)
	}
}

// appendReflected is for types of users and for the rarer ones of Go.
func appendReflected(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case reflect.String:
		return appendBulk(dst, KindBulk, v.String()), nil
	case reflect.Bool:
		return appendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendInteger(dst, KindInteger, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := v.Uint(); n > 1<<63-1 {
			return appendLine(dst, KindBigNumber, strconv.FormatUint(n, 10)), nil
		}
		return appendInteger(dst, KindInteger, int64(v.Uint())), nil
	case reflect.Float32:
		// The shortest text that means the same float32 reads better than its float64.
		f, err := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64)
		if err != nil {
			f = v.Float()
		}
		return appendLine(dst, KindDouble, formatDouble(f)), nil
	case reflect.Float64:
		return appendLine(dst, KindDouble, formatDouble(v.Float())), nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(dst, "_\r\n"...), nil
		}
		return appendAny(dst, v.Elem().Interface(), depth-1)
	case reflect.Slice, reflect.Array:
		return appendSlice(dst, v, depth)
	case reflect.Map:
		return appendMap(dst, v, depth)
	default:
		return nil, fmt.Errorf("type %v has no value of RESP", v.Type())
	}
}

// appendSlice writes bytes as a string, and everything else as an array.
func appendSlice(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 && (v.Kind() == reflect.Slice || v.CanAddr()) {
		return appendBulk(dst, KindBulk, string(v.Bytes())), nil
	}
	dst = appendInteger(dst, KindArray, int64(v.Len()))
	for i := range v.Len() {
		var err error
		if dst, err = appendAny(dst, v.Index(i).Interface(), depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendMap(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	type pair struct{ key, value []byte }
	pairs := make([]pair, 0, v.Len())
	for i := v.MapRange(); i.Next(); {
		key, err := appendAny(nil, i.Key().Interface(), depth-1)
		if err != nil {
			return nil, err
		}
		value, err := appendAny(nil, i.Value().Interface(), depth-1)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{key, value})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	dst = appendInteger(dst, KindMap, int64(len(pairs)))
	for _, p := range pairs {
		dst = append(append(dst, p.key...), p.value...)
	}
	return dst, nil
}

func appendList(dst []byte, list []any, depth int) (_ []byte, err error) {
	for _, item := range list {
		if dst, err = appendAny(dst, item, depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendParsed writes what was read, or put together by hand.
func appendParsed(dst []byte, v Value, depth int) (_ []byte, err error) {
	switch v.Kind {
	case KindBulk, KindBulkError:
		return appendBulk(dst, v.Kind, v.Text), nil
	case KindVerbatim:
		return appendBulk(dst, v.Kind, "txt:"+v.Text), nil
	case KindArray, KindSet, KindPush, KindMap:
		n := len(v.Items)
		if v.Kind == KindMap {
			if n%2 != 0 {
				return nil, fmt.Errorf("there are %d keys and values", n)
			}
			n /= 2
		}
		dst = appendInteger(dst, v.Kind, int64(n))
		for _, item := range v.Items {
			if dst, err = appendAny(dst, item, depth-1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case KindSimple, KindError:
		return appendLine(dst, v.Kind, v.Text), nil
	case KindInteger, KindBool, KindDouble, KindBigNumber, KindNull:
		if err := (token{kind: v.Kind, text: []byte(v.Text)}).check(); err != nil {
			return nil, err
		}
		return appendLine(dst, v.Kind, v.Text), nil
	default:
		return nil, fmt.Errorf("no value begins with %q", v.Kind)
	}
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "#t\r\n"...)
	}
	return append(dst, "#f\r\n"...)
}

// appendInteger writes a number, a length or a count.
func appendInteger(dst []byte, kind byte, n int64) []byte {
	return append(strconv.AppendInt(append(dst, kind), n, 10), endOfLine...)
}

func appendBulk[T string | []byte](dst []byte, kind byte, text T) []byte {
	dst = appendInteger(dst, kind, int64(len(text)))
	return append(append(dst, text...), endOfLine...)
}

// appendLine writes a text that its line ends, so that it cannot hold another end.
func appendLine[T string | []byte](dst []byte, kind byte, text T) []byte {
	dst = append(dst, kind)
	for i := range len(text) {
		c := text[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return append(dst, endOfLine...)
}
