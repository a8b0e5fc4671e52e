package message

import "github.com/dserver/dserver/rpc/status"

// Type says what a message is for. The numbers are those of the wire.
type Type byte

// The types. A peer that sends another one, or an authentication message after
// the session has started, is disconnected.
const (
	Undefined Type = 0
	Call      Type = 1 // wants a Reply
	Reply     Type = 2 // carries the Seq of its Call
	Push      Type = 3 // wants no answer
	AuthCall  Type = 4 // opens an authentication
	AuthReply Type = 5 // ends it
)

// String is the name that logs use.
func (t Type) String() string {
	switch t {
	case Call:
		return "CALL"
	case Reply:
		return "REPLY"
	case Push:
		return "PUSH"
	case AuthCall:
		return "AUTH_CALL"
	case AuthReply:
		return "AUTH_REPLY"
	default:
		return "UNDEFINED"
	}
}

// Message is one CALL, REPLY or PUSH with its body still encoded.
type Message struct {
	Seq     int32          // counts per session and direction; a reply echoes it
	Type    Type           // what it is
	Method  string         // the route; empty in replies
	Status  *status.Status // nil is OK
	Meta    Meta           // text to text
	Codec   byte           // id of the codec that made Body; 0 is none
	Body    []byte         // encoded; may share memory with a protocol's buffer
	Filters []byte         // ids of the filters, in the order of the wire
	Size    int            // bytes on the wire, set by who reads or writes it

	// Refusal and Last never travel: a protocol sets them in what it reads.

	// Refusal is the answer to a Call that was read and cannot be handed on, because
	// its text is not what it should be for example. With an error of the protocol it
	// is sent before the session ends.
	Refusal *status.Status
	// Last says that nothing follows: the session ends in order after the answer.
	Last bool
}

// Reset empties the message but keeps the memory of its metadata.
func (m *Message) Reset() {
	meta := m.Meta
	meta.Clear()
	*m = Message{Meta: meta}
}
