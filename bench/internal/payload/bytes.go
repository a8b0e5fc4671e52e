package payload

import "google.golang.org/protobuf/proto"

// Bytes is a request without a codec: as many bytes as the protobuf message has.
type Bytes struct{ sent []byte }

// Size is how many bytes a request has.
func (b Body) Size() int {
	switch b {
	case Small:
		return 16
	case Large:
		return 64 << 10
	}
	return proto.Size(NewProto(b).Next(0))
}

// NewBytes makes the request of one goroutine.
func NewBytes(b Body) *Bytes {
	sent := make([]byte, b.Size())
	for i := range sent {
		sent[i] = 'x'
	}
	return &Bytes{sent}
}

// Next gives the request with another tag. They are the same bytes every time.
func (r *Bytes) Next(tag uint32) []byte {
	SetTag(r.sent, tag)
	return r.sent
}

// Check tells whether reply answers the last request.
func (r *Bytes) Check(reply []byte) error {
	last := len(r.sent) - 1
	if len(reply) != len(r.sent) || string(reply[:4]) != string(r.sent[:4]) || reply[last] != ^r.sent[last] {
		return ErrAnswer
	}
	return nil
}

// ServeBytes turns a request into its answer, in place.
func ServeBytes(b []byte) error {
	if len(b) < 8 || b[len(b)-1] != 'x' {
		return ErrAnswer
	}
	b[len(b)-1] = ^b[len(b)-1]
	return nil
}
