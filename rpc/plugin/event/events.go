package event

import (
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Event is [Opened], [Closed], [DialFailed], [Received], [Answered] or [Returned].
type Event interface {
	// EventName is the name under which the event is published.
	EventName() string

	event()
}

// The names of the events.
const (
	NameOpened     = "rpc.session.open"
	NameClosed     = "rpc.session.close"
	NameDialFailed = "rpc.dial.failed"
	NameReceived   = "rpc.message.received"
	NameAnswered   = "rpc.call.answered"
	NameReturned   = "rpc.call.returned"
)

// Opened is a session that begins.
type Opened struct {
	Session rpc.BaseSession
	Redial  bool // its client had a session before
}

// Closed is a session that has ended.
type Closed struct {
	Session rpc.BaseSession
	Reason  error         // io.EOF if the peer has left in order
	Lasted  time.Duration // since it was Opened
}

// DialFailed is an attempt to connect that did not succeed.
type DialFailed struct {
	Address string
	Err     error
	Redial  bool // the client had a session before
}

// Received is a CALL or a PUSH that is about to be handled.
type Received struct {
	Session *rpc.Session
	Type    message.Type
	Method  string
	Seq     int32
}

// Answered is a REPLY that was written.
type Answered struct {
	Session *rpc.Session
	Method  string // of its CALL
	Seq     int32
	Code    status.Code
	Took    time.Duration // since its CALL was read; 0 for one that could not be read in full
}

// Returned is a call of our own that has ended, with a REPLY or without.
type Returned struct {
	Session *rpc.Session
	Method  string
	Code    status.Code
	Took    time.Duration // since it was made
}

// EventName is "rpc.session.open".
func (Opened) EventName() string { return NameOpened }

// EventName is "rpc.session.close".
func (Closed) EventName() string { return NameClosed }

// EventName is "rpc.dial.failed".
func (DialFailed) EventName() string { return NameDialFailed }

// EventName is "rpc.message.received".
func (Received) EventName() string { return NameReceived }

// EventName is "rpc.call.answered".
func (Answered) EventName() string { return NameAnswered }

// EventName is "rpc.call.returned".
func (Returned) EventName() string { return NameReturned }

func (Opened) event()     {}
func (Closed) event()     {}
func (DialFailed) event() {}
func (Received) event()   {}
func (Answered) event()   {}
func (Returned) event()   {}
