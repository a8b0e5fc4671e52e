package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/internal/text"
)

// Codec is the codec; it has no settings.
type Codec struct{}

var _ codec.Appender = Codec{}

// ID is 'p'.
func (Codec) ID() byte { return codec.IDProtobuf }

// Name is "protobuf".
func (Codec) Name() string { return "protobuf" }

// Marshal encodes a message, maps in order of their keys. A nil message has no bytes.
func (Codec) Marshal(v any) ([]byte, error) {
	m, err := source(v)
	if m == nil {
		return nil, err
	}
	return appendMessage(nil, m, proto.MarshalOptions{Deterministic: true})
}

// Size is that of a message, and 0 for all else that can be encoded.
func (Codec) Size(v any) int {
	if m, ok := v.(proto.Message); ok {
		return proto.MarshalOptions{Deterministic: true}.Size(m)
	}
	return 0
}

// AppendMarshal appends what Marshal gives to dst. Of a message, Size must have been asked
// for since it changed.
func (Codec) AppendMarshal(dst []byte, v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok {
		return appendMessage(dst, m, proto.MarshalOptions{Deterministic: true, UseCachedSize: true})
	}
	m, err := source(v)
	if m == nil {
		return dst, err
	}
	return appendMessage(dst, m, proto.MarshalOptions{Deterministic: true})
}

// source gives the message that v is; nil if it has no bytes.
func source(v any) (proto.Message, error) {
	if m, ok := v.(proto.Message); ok {
		return m, nil
	}
	value := text.Source(v)
	if !value.IsValid() || isEmpty(value) {
		return nil, nil
	}
	m, ok := message(value)
	if !ok {
		return nil, refusal("write", v)
	}
	return m, nil
}

func appendMessage(dst []byte, m proto.Message, o proto.MarshalOptions) ([]byte, error) {
	b, err := o.MarshalAppend(dst, m)
	if err != nil {
		return dst, fmt.Errorf("cannot write a %T: %w", m, err)
	}
	return b, nil
}

// Unmarshal replaces the message that v is or points at.
func (Codec) Unmarshal(b []byte, v any) error {
	if m, ok := v.(proto.Message); ok && m.ProtoReflect().IsValid() {
		return unmarshal(b, m) // what handlers and callers have, without a look at types
	}
	value, err := text.Target(v)
	if err != nil {
		return err
	}
	if isEmpty(value) {
		return skip(b)
	}
	m, ok := message(value)
	if !ok || !m.ProtoReflect().IsValid() {
		return refusal("read", v)
	}
	return unmarshal(b, m)
}

func unmarshal(b []byte, m proto.Message) error {
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("cannot read a %T: %w", m, err)
	}
	return nil
}

// message gives the message that v is: its methods are those of a pointer to it.
func message(v reflect.Value) (m proto.Message, ok bool) {
	switch {
	case v.Kind() == reflect.Interface:
		m, ok = v.Interface().(proto.Message)
	case v.CanAddr():
		m, ok = v.Addr().Interface().(proto.Message)
	}
	return m, ok
}

func isEmpty(v reflect.Value) bool { return v.Type() == reflect.TypeFor[struct{}]() }

// skip reads a message of which no field is wanted.
func skip(b []byte) error {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return fmt.Errorf("cannot skip the fields of a message: %w", protowire.ParseError(n))
		}
		b = b[n:]
	}
	return nil
}

func refusal(verb string, v any) error {
	return fmt.Errorf("cannot %s a %T as protobuf: pass a proto.Message, such as a pointer to a generated type", verb, v)
}
