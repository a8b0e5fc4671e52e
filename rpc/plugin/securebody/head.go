package securebody

import (
	"encoding/binary"

	"github.com/dserver/dserver/rpc/message"
)

// senderID is 16 random bytes, new for each session of a sender.
type senderID [16]byte

// head is what a CALL or PUSH in the form Sealed begins with.
//
//	offset 0 flags, 1 sender, 17 counter, 25 time
type head struct {
	plainReply bool // flag 1: the reply may be plain
	sender     senderID
	counter    uint64 // from 1
	time       int64  // of the sender, in milliseconds since 1970
}

const (
	headSize       = 33
	flagPlainReply = 1
)

func (h head) append(dst []byte) []byte {
	var flags byte
	if h.plainReply {
		flags |= flagPlainReply
	}
	dst = append(append(dst, flags), h.sender[:]...)
	dst = binary.BigEndian.AppendUint64(dst, h.counter)
	return binary.BigEndian.AppendUint64(dst, uint64(h.time))
}

// parseHead is not ok for what is too short or has flags that are not known.
func parseHead(b []byte) (h head, rest []byte, ok bool) {
	if len(b) < headSize || b[0]&^flagPlainReply != 0 {
		return h, nil, false
	}
	h.plainReply = b[0]&flagPlainReply != 0
	copy(h.sender[:], b[1:])
	h.counter = binary.BigEndian.Uint64(b[17:])
	h.time = int64(binary.BigEndian.Uint64(b[25:]))
	return h, b[headSize:], true
}

// place is where a message is valid.
type place struct {
	kind   message.Type
	dialed bool // it comes from the side that dialled
	codec  byte
	head   head // of its CALL for a REPLY
	method string
}

// additional is what is authenticated besides the body.
func (p place) additional() []byte {
	b := make([]byte, 0, len(label)+3+headSize+len(p.method))
	b = append(b, label...)
	var dialed byte
	if p.dialed {
		dialed = 1
	}
	b = append(b, byte(p.kind), dialed, p.codec)
	return append(p.head.append(b), p.method...)
}
