package eventbus

import (
	"errors"
	"fmt"

	"github.com/dserver/dserver/internal/group"
)

var (
	// ErrAbort is what a synchronous handler returns, as it is or wrapped, to
	// keep an event from those that come after it. The publisher gets it too.
	ErrAbort = errors.New("event aborted")

	// ErrClosed is returned by a bus that was closed.
	ErrClosed = errors.New("event bus is closed")

	// ErrFull is returned for a subscriber whose queue has no room.
	ErrFull = errors.New("queue is full")

	errNoContext = errors.New("cannot publish: no context given")

	errGoexit = errors.New("handler ended its goroutine")
)

// DeliveryError says which subscriber failed with which event. For an
// asynchronous subscriber it is emitted on the bus, as a *DeliveryError.
type DeliveryError struct {
	Event      string // the name, or the type of a typed event
	Subscriber string // Options.Name
	Err        error  // what the handler returned, a [*PanicError], or [ErrFull]
}

// Error names the subscriber and the event.
func (e *DeliveryError) Error() string {
	return fmt.Sprintf("subscriber %s cannot handle event %s: %v", e.Subscriber, e.Event, e.Err)
}

// Unwrap gives what went wrong.
func (e *DeliveryError) Unwrap() error { return e.Err }

// PanicError is a panic of a handler, with its value and stack.
type PanicError = group.PanicError
