package plain

import (
	"fmt"
	"reflect"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/internal/text"
)

// Codec is the codec; it has no settings.
type Codec struct{}

var _ codec.Codec = Codec{}

// ID is 's'.
func (Codec) ID() byte { return codec.IDPlain }

// Name is "plain".
func (Codec) Name() string { return "plain" }

// Marshal gives the text of a string, a []byte, an integer, a float or a bool, of
// named types too, or of what a pointer to one points at. nil and nil pointers have no
// bytes.
func (Codec) Marshal(v any) ([]byte, error) {
	value := text.Source(v)
	switch {
	case !value.IsValid():
		return nil, nil
	case isBytes(value):
		return append([]byte(nil), value.Bytes()...), nil
	}
	s, ok := text.Format(value)
	if !ok {
		return nil, refusal("write", v)
	}
	return []byte(s), nil
}

// Unmarshal sets what v points at, which may be of the types that Marshal takes. A text
// that is not one value of that type, or too large a number for it, is an error.
func (Codec) Unmarshal(b []byte, v any) error {
	value, err := text.Target(v)
	if err != nil {
		return err
	}
	if isBytes(value) {
		value.SetBytes(append([]byte(nil), b...))
		return nil
	}
	ok, err := text.Parse(string(b), value)
	switch {
	case !ok:
		return refusal("read", v)
	case err != nil:
		return fmt.Errorf("cannot read plain text: %w", err)
	}
	return nil
}

func isBytes(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
}

func refusal(verb string, v any) error {
	return fmt.Errorf("cannot %s a %T as plain text: that is for strings, bytes, numbers and bools", verb, v)
}
