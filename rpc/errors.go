package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dserver/dserver/rpc/status"
)

// ErrClosed is returned by Serve after Drain, Shutdown or Close, and found by
// errors.Is in what a closed endpoint or client returns.
var ErrClosed = errors.New("endpoint is closed")

// ErrReplaced ends a session whose id another one has taken.
var ErrReplaced = errors.New("another session has taken the id")

// ErrAge ends a session that has lived as long as it may.
var ErrAge = errors.New("the session has reached its age")

// errFull says that the write queue had no room in time.
var errFull = errors.New("the peer does not read: write queue is full")

// connectionClosed is the end of a call whose session ended. With unsent the
// peer is known not to have executed it.
func connectionClosed(cause error, unsent bool) *status.Status {
	var denied *deniedError
	if errors.As(cause, &denied) {
		return denied.status
	}
	s := status.Newf(status.ConnectionClosed, "%w", cause)
	s.Retry = unsent
	return s
}

// deniedError is a peer that ended the session because it had not been authenticated.
type deniedError struct{ status *status.Status }

func (e *deniedError) Error() string {
	return "the peer wants to be asked in first: " + e.status.Error()
}
func (e *deniedError) Unwrap() error { return e.status }

// contextEnded is the end of a call whose context ended.
func contextEnded(ctx context.Context) *status.Status {
	code := status.Cancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = status.HandleTimeout
	}
	return status.Newf(code, "%w", ctx.Err())
}

// CutError lists the calls that were cut because a Shutdown ran out of time.
type CutError struct {
	Calls    []CutCall // in the order of their sessions and numbers
	Sessions int       // sessions that were closed although the peer had not left
}

// CutCall is one call that did not end in time.
type CutCall struct {
	Session  string        // id of its session
	Peer     string        // address of the other side
	Method   string        // its route
	Seq      int32         // its number in the session
	Incoming bool          // a handler of ours ran; else we waited for a reply
	Age      time.Duration // how long it had been running
}

// Error names the calls; beyond ten it counts them.
func (e *CutError) Error() string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "cut %d calls:", len(e.Calls))
	for i, c := range e.Calls {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(e.Calls)-most)
			break
		}
		way := "to"
		if c.Incoming {
			way = "from"
		}
		fmt.Fprintf(&b, " %s #%d %s %s (%v);", c.Method, c.Seq, way, c.Peer, c.Age.Round(time.Millisecond))
	}
	return strings.TrimSuffix(b.String(), ";")
}
