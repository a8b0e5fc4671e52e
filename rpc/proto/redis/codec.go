package redis

import (
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/codec"
)

// Codec is for bodies of commands and of their replies, whatever they are handled with:
// handlers that [Handle] registers need none.
//
// It writes values of RESP3, as [AppendValue] does. It reads the arguments of a command
// into a *[][]byte or a *[]string, and a reply into one of these, a *[Value], a *any, or
// a pointer to a string, an int, an int64, a float64, a bool or a map[string]string. Null
// leaves the target as it is.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID is 'r'.
func (Codec) ID() byte { return codec.IDRedis }

// Name is "redis".
func (Codec) Name() string { return Name }

// Marshal is AppendValue.
func (Codec) Marshal(v any) ([]byte, error) { return AppendValue(nil, v) }

// Unmarshal shares no memory with b.
func (Codec) Unmarshal(b []byte, v any) error {
	if len(b) > 0 && b[0] == '[' {
		return unmarshalArgs(b, v)
	}
	value, err := ParseValue(b)
	if err != nil {
		return err
	}
	if value.Null() && !wantsNull(v) {
		return nil
	}
	return value.into(v)
}

func wantsNull(v any) bool {
	switch v.(type) {
	case *Value, *any:
		return true
	}
	return false
}

func unmarshalArgs(b []byte, v any) error {
	args, err := parseArgs(b)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *[][]byte:
		*v = args
	case *any:
		*v = args
	case *[]string:
		*v = make([]string, len(args))
		for i, arg := range args {
			(*v)[i] = string(arg)
		}
	default:
		return fmt.Errorf("the arguments of a command do not go into %T", v)
	}
	return nil
}

// into fills target, a pointer.
func (v Value) into(target any) (err error) {
	switch t := target.(type) {
	case *Value:
		*t = v
	case *any:
		*t = v.Any()
	case *string:
		*t, err = v.text()
	case *int64:
		*t, err = v.integer()
	case *int:
		var n int64
		if n, err = v.integer(); err == nil && int64(int(n)) != n {
			err = fmt.Errorf("%d is no int", n)
		}
		*t = int(n)
	case *float64:
		var text string
		if text, err = v.text(); err == nil {
			*t, err = parseDouble(text)
		}
	case *bool:
		*t, err = v.truth()
	case *[]string:
		*t, err = v.texts()
	case *[][]byte:
		var list []string
		list, err = v.texts()
		*t = make([][]byte, len(list))
		for i, text := range list {
			(*t)[i] = []byte(text)
		}
	case *map[string]string:
		*t, err = v.dictionary()
	default:
		err = errors.New("it is of no type that can be read into")
	}
	if err != nil {
		return fmt.Errorf("a value of kind %q does not go into %T: %w", v.Kind, target, err)
	}
	return nil
}

var errKind = errors.New("it is of another kind")

// text gives what can be written as one; in a list, null is empty.
func (v Value) text() (string, error) {
	switch v.Kind {
	case KindArray, KindMap, KindSet, KindPush, KindError, KindBulkError:
		return "", errKind
	default:
		return v.Text, nil
	}
}

func (v Value) integer() (int64, error) {
	if v.Kind == KindBool {
		truth, err := v.truth()
		if truth {
			return 1, err
		}
		return 0, err
	}
	text, err := v.text()
	if err != nil {
		return 0, err
	}
	return parseInteger(text)
}

// truth reads the 1 and 0 of RESP2 as well.
func (v Value) truth() (bool, error) {
	switch v.Text {
	case "t", "1":
		return true, nil
	case "f", "0":
		return false, nil
	default:
		return false, errKind
	}
}

// texts gives the items of a list, or the keys and values of a map in turn.
func (v Value) texts() (list []string, err error) {
	switch v.Kind {
	case KindArray, KindMap, KindSet, KindPush:
	default:
		return nil, errKind
	}
	list = make([]string, len(v.Items))
	for i, item := range v.Items {
		if list[i], err = item.text(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// dictionary reads the flat arrays of RESP2 as well.
func (v Value) dictionary() (map[string]string, error) {
	list, err := v.texts()
	if err != nil {
		return nil, err
	}
	if len(list)%2 != 0 {
		return nil, fmt.Errorf("there are %d keys and values", len(list))
	}
	m := make(map[string]string, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m, nil
}
