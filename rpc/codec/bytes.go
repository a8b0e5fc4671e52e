package codec

import (
	"fmt"
	"reflect"

	"github.com/dserver/dserver/rpc/codec/internal/text"
)

// Bytes takes bodies as they are: []byte and string, and pointers to them. It is for
// endpoints whose bodies mean nothing to their codec, and tells who passes anything
// else. Its id is one that older implementations do not have.
type Bytes struct{}

var _ Codec = Bytes{}

// ID is 'b'.
func (Bytes) ID() byte { return IDBytes }

// Name is "bytes".
func (Bytes) Name() string { return "bytes" }

// Marshal gives the bytes of v; those of a []byte are its own, not copied. nil and nil
// pointers have none.
func (Bytes) Marshal(v any) ([]byte, error) {
	value := text.Source(v)
	switch {
	case !value.IsValid():
		return nil, nil
	case value.Type() == reflect.TypeFor[[]byte]():
		return value.Bytes(), nil
	case value.Type() == reflect.TypeFor[string]():
		return []byte(value.String()), nil
	}
	return nil, fmt.Errorf("cannot take a %T as bytes: pass a []byte or a string", v)
}

// Unmarshal copies b to what v points at.
func (Bytes) Unmarshal(b []byte, v any) error {
	value, err := text.Target(v)
	if err != nil {
		return err
	}
	switch value.Type() {
	case reflect.TypeFor[[]byte]():
		value.SetBytes(append([]byte(nil), b...))
	case reflect.TypeFor[string]():
		value.SetString(string(b))
	default:
		return fmt.Errorf("cannot give bytes to a %T: pass a pointer to a []byte or to a string", v)
	}
	return nil
}
