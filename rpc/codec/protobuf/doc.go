// Package protobuf is the codec of bodies that are protocol buffers, of the types that
// protoc-gen-go makes.
//
// A body is one message: pass a proto.Message, such as a pointer to a generated type,
// or a pointer to one, which is where a nil *T receives a new T. nil and struct{}
// stand for a message without fields, which has no bytes.
//
// Fields that the reader's type does not have are kept, as everywhere with protocol
// buffers; messages may be within each other 10,000 deep. A message can take some
// hundred times the memory of its bytes, if its type has many fields and the bytes
// nothing for them: that is what the limit of the endpoint on messages bounds.
//
// It imports google.golang.org/protobuf, which a program without it does not link.
// A Codec is safe for concurrent use.
package protobuf
