package payload

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/bench/internal/pb"
)

// Proto is a request as a protobuf message.
type Proto struct {
	tag    uint32
	record *pb.Record // or
	blob   *pb.Blob
}

// NewProto makes the request of one goroutine.
func NewProto(b Body) *Proto {
	if b == Record {
		m := new(pb.Record)
		Fill(m)
		return &Proto{record: m}
	}
	return &Proto{blob: &pb.Blob{Data: Data(b), Answer: proto.Int32(number)}}
}

// Next gives the request with another tag. It is the same message every time.
func (p *Proto) Next(tag uint32) proto.Message {
	p.tag = tag
	if p.record != nil {
		*p.record.Tag = Tag(tag)
		return p.record
	}
	SetTag(p.blob.Data, tag)
	return p.blob
}

// Reply gives an empty message for the answer.
func (p *Proto) Reply() proto.Message {
	if p.record != nil {
		return new(pb.Record)
	}
	return new(pb.Blob)
}

// Check tells whether reply answers the last request.
func (p *Proto) Check(reply proto.Message) error {
	switch m := reply.(type) {
	case *pb.Record:
		return CheckRecord(p.tag, m.GetAnswer(), m.GetTag(), m.GetText7())
	case *pb.Blob:
		return CheckData(p.blob.GetData(), m.GetData(), m.GetAnswer())
	}
	return ErrAnswer
}

// New gives an empty message for a request, for servers.
func New(b Body) proto.Message {
	if b == Record {
		return new(pb.Record)
	}
	return new(pb.Blob)
}

// ServeProto turns a request into its answer; it is all the work that servers have. The
// error is that of a request that did not come as it was sent.
func ServeProto(m proto.Message) error {
	switch m := m.(type) {
	case *pb.Record:
		return serve(m.Answer)
	case *pb.Blob:
		return serve(m.Answer)
	}
	return fmt.Errorf("cannot answer a %T", m)
}

func serve(answer *int32) error {
	if answer == nil || *answer != number {
		return ErrAnswer
	}
	*answer = answered
	return nil
}

// CodecAllocations tells how many allocations the codec makes on either side of a call:
// one message is written, into a buffer of its own, and one is read.
func CodecAllocations(b Body, count func(f func()) float64) float64 {
	request := NewProto(b)
	sent, err := proto.Marshal(request.Next(0))
	if err != nil {
		return 0
	}
	return count(func() {
		_, _ = proto.Marshal(request.Next(0))
		_ = proto.Unmarshal(sent, request.Reply())
	})
}
