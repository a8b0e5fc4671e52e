package dserver

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/rpc/codec"
)

// protobuf is the codec of the endpoints; bytes go round it.
type protobuf struct{}

var _ codec.Codec = protobuf{}

func (protobuf) ID() byte     { return codec.IDProtobuf }
func (protobuf) Name() string { return "protobuf" }

func (protobuf) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("cannot write a %T as protobuf", v)
	}
	return proto.Marshal(m)
}

// Unmarshal fills a message, or what a handler takes if that is one: v points to it then.
func (protobuf) Unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if target := reflect.ValueOf(v); !ok && target.Kind() == reflect.Pointer {
		m, ok = target.Elem().Interface().(proto.Message)
	}
	if !ok {
		return fmt.Errorf("cannot read a %T as protobuf", v)
	}
	return proto.Unmarshal(b, m)
}
