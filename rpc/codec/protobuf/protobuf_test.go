package protobuf_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/dserver/dserver/rpc/codec/codectest"
	"github.com/dserver/dserver/rpc/codec/protobuf"
)

func suite() codectest.Suite {
	nested := wrapperspb.String("世界")
	return codectest.Suite{
		Codec: protobuf.Codec{}, ID: 'p', Name: "protobuf",
		Values: []any{
			&timestamppb.Timestamp{Seconds: -1, Nanos: 7}, nested, &durationpb.Duration{}, struct{}{},
			&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("a"), structpb.NewNullValue()}},
			&descriptorpb.FileDescriptorProto{Name: proto.String("a.proto"), MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("A")}}},
		},
		Recorded: []codectest.Body{
			{Value: nil},
			{Value: struct{}{}},
			{Value: (*timestamppb.Timestamp)(nil)},
			{Value: &timestamppb.Timestamp{Seconds: 7}, Bytes: "\x08\x07"},
		},
		ReadOnly: []codectest.Body{
			{Value: struct{}{}, Bytes: "\x08\x07\x12\x06世界"},
			{Value: &timestamppb.Timestamp{Seconds: 7}, Bytes: "\x08\x01\x08\x07"},
		},
		Refused: []codectest.Refusal{
			{Value: "text", Want: "cannot write a string as protobuf: pass a proto.Message, such as a pointer to a generated type"},
			{Value: map[string]string{}, Want: "cannot write a map[string]string"},
			{Value: struct{ A int }{}, Want: "cannot write a struct { A int }"},
			{Value: new(any), Want: "cannot write a *interface {}"},
			{Value: wrapperspb.String("\xff"), Want: "cannot write a *wrapperspb.StringValue"},
		},
		Broken: []codectest.Broken{
			{Bytes: "\x0a\x05x", Target: new(wrapperspb.StringValue), Want: "cannot read a *wrapperspb.StringValue"},
			{Bytes: "\x0a\x01\xff", Target: new(wrapperspb.StringValue), Want: "invalid UTF-8"},
			{Bytes: "\x0a\xff\xff\xff\xff\x0f", Target: new(structpb.ListValue), Want: "cannot read"},
			{Bytes: "\x0b", Target: new(struct{}), Want: "cannot skip the fields of a message"},
			{Bytes: "", Target: new(string), Want: "cannot read a *string as protobuf"},
			{Bytes: "", Target: new(proto.Message), Want: "cannot read a *protoreflect.ProtoMessage as protobuf"},
			{Bytes: "", Target: new(dynamicpb.Message), Want: "cannot read a *dynamicpb.Message"},
			{Bytes: deep(20000), Target: new(structpb.ListValue), Want: "recursion"},
		},
		Small: []codectest.Small{
			{Name: "an announced length", Bytes: "\x0a\xff\xff\xff\x7f", Target: new(wrapperspb.BytesValue), Most: 16 << 10},
			{Name: "empty elements", Bytes: strings.Repeat("\x0a\x00", 10000), Target: new(structpb.ListValue), Most: 4 << 20},
			{Name: "empty large elements", Bytes: strings.Repeat("\x22\x00", 10000), Target: new(descriptorpb.FileDescriptorProto), Most: 8 << 20},
			{Name: "within each other", Bytes: deep(5000), Target: new(structpb.ListValue), Most: 4 << 20},
		},
		Equal: func(a, b any) bool {
			m, isMessage := a.(proto.Message)
			n, isToo := b.(proto.Message)
			return isMessage && isToo && proto.Equal(m, n) || a == b
		},
	}
}

// deep gives a list within a list and so on, made from its end to its beginning.
func deep(n int) string {
	var b []byte
	for range n {
		for _, tag := range []byte{0x32, 0x0a} { // Value.list_value in ListValue.values
			head := protowire.AppendVarint([]byte{tag}, uint64(len(b)))
			slices.Reverse(head)
			b = append(b, head...)
		}
	}
	slices.Reverse(b)
	return string(b)
}

func TestCodec(t *testing.T) { suite().Run(t) }

// TestBodyOfAnOlderWriter: uid 7, author 世界.
func TestBodyOfAnOlderWriter(t *testing.T) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("request.proto"), Syntax: proto.String("proto3"), Package: proto.String("recorded"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Request"),
			Field: []*descriptorpb.FieldDescriptorProto{
				{Name: proto.String("uid"), Number: proto.Int32(1), Type: descriptorpb.FieldDescriptorProto_TYPE_INT32.Enum()},
				{Name: proto.String("author"), Number: proto.Int32(2), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()},
			},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const body = "\x08\x07\x12\x06世界"
	request := file.Messages().Get(0)
	m := dynamicpb.NewMessage(request)
	if err := (protobuf.Codec{}).Unmarshal([]byte(body), m); err != nil {
		t.Fatal(err)
	}
	uid, author := request.Fields().ByName("uid"), request.Fields().ByName("author")
	if m.Get(uid).Int() != 7 || m.Get(author).String() != "世界" {
		t.Errorf("got %v", m)
	}
	for _, v := range []any{m, &m, new(proto.Message(m))} {
		if got, err := (protobuf.Codec{}).Marshal(v); err != nil || string(got) != body {
			t.Errorf("%T: got %q, %v", v, got, err)
		}
	}
	var into proto.Message = dynamicpb.NewMessage(request)
	if err := (protobuf.Codec{}).Unmarshal([]byte(body), &into); err != nil || !proto.Equal(into, m) {
		t.Errorf("got %v, %v", into, err)
	}
}

func TestFieldsOfNewerTypesAreKept(t *testing.T) {
	const body = "\x08\x07\x12\x06世界" // the second is none of a Int64Value
	var v wrapperspb.Int64Value
	if err := (protobuf.Codec{}).Unmarshal([]byte(body), &v); err != nil || v.Value != 7 {
		t.Fatalf("got %v, %v", &v, err)
	}
	if got, err := (protobuf.Codec{}).Marshal(&v); err != nil || !bytes.Equal(got, []byte(body)) {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	suite().Fuzz(f,
		func() any { return new(structpb.ListValue) },
		func() any { return new(descriptorpb.FileDescriptorProto) },
		func() any { return new(wrapperspb.StringValue) },
		func() any { return new(struct{}) },
	)
}

func ExampleCodec() {
	c := protobuf.Codec{}
	body, err := c.Marshal(wrapperspb.String("tea"))
	fmt.Printf("%q %v\n", body, err)

	var v *wrapperspb.StringValue
	err = c.Unmarshal(body, &v)
	fmt.Println(v.GetValue(), err)

	_, err = c.Marshal("tea")
	fmt.Println(err)
	// Output:
	// "\n\x03tea" <nil>
	// tea <nil>
	// cannot write a string as protobuf: pass a proto.Message, such as a pointer to a generated type
}
