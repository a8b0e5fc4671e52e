package ws

import (
	"sync/atomic"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
)

// either is a payload that is read in both ways.
type either struct {
	json, pb envelope.Payload
	writesPB atomic.Bool
	follows  bool // writes what it has read last
}

func (e *either) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	if e.writesPB.Load() {
		return e.pb.AppendPayload(dst, m)
	}
	return e.json.AppendPayload(dst, m)
}

// ParsePayload tells by the first byte: no message of protocol buffers that we can read
// begins with a brace, which would be a group.
func (e *either) ParsePayload(text []byte, m *message.Message) error {
	isPB := len(text) > 0 && text[0] != '{'
	if e.follows && e.writesPB.Load() != isPB {
		e.writesPB.Store(isPB)
	}
	if isPB {
		return e.pb.ParsePayload(text, m)
	}
	return e.json.ParsePayload(text, m)
}
