package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

func (in *inbound) push() bool { return in.m.Type == message.Push }

// watch sees to it that a caller gets its 408 at the deadline even if the
// handler goes on.
func (in *inbound) watch() {
	if in.timer == nil || in.push() {
		return
	}
	in.timer.unwatch = context.AfterFunc(in.Context, func() {
		if errors.Is(in.Err(), context.DeadlineExceeded) {
			in.session.e.workers.run(func() { in.timeOut(false) })
		}
	})
}

// run is the whole life of a handler call.
func (in *inbound) run() {
	err := in.Err()
	defer func() { in.finish(err) }()
	if err != nil {
		return // too late to start
	}
	var result any
	result, err = in.invoke()
	if !in.push() {
		in.reply(result, err)
		return
	}
	// Under a flood of them a line for each would be a second flood.
	if st, ok := status.From(err); ok && st != nil && st.Code == status.Overloaded {
		in.session.noteDropped(in.method, st)
	} else if err != nil {
		in.session.log().Warn("push handler failed", failure(err, "method", in.method)...)
	}
}

func (in *inbound) finish(failure error) {
	if t := in.timer; t != nil && t.unwatch != nil {
		t.unwatch()
		// A CALL that was not answered by now had no time or nobody who waits.
		if errors.Is(in.Err(), context.DeadlineExceeded) {
			in.timeOut(true)
		}
	}
	in.endContext()
	in.end(failure)
	in.dropBody()
	in.vacate()
	s := in.session
	s.e.counters.handled.Add(1)
	in.recycle()
	s.e.handlers.done()
	s.work.done()
}

// invoke is the wall around a handler.
func (in *inbound) invoke() (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			in.session.e.counters.panics.Add(1)
			result, err = nil, &panicError{value: v, stack: debug.Stack()}
		}
	}()
	if in.timed {
		start := time.Now()
		defer func() { in.route.pace.took(time.Since(start)) }()
	}
	return in.route.handle(in)
}

// panicError is a handler's panic; only the log sees its text.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// decodeError is a body that cannot be read.
type decodeError struct{ err error }

func (e *decodeError) Error() string { return "cannot decode the body: " + e.err.Error() }
func (e *decodeError) Unwrap() error { return e.err }

// decode fills target from the body, with the hooks around it.
func (in *inbound) decode(target any) error {
	h, push := in.hooks(), in.push()
	var err error
	if push {
		err = h.runBeforeReadPushBody(&in.passage)
	} else {
		err = h.runBeforeReadCallBody(&in.passage)
	}
	if err != nil {
		return err
	}
	err = in.decodeBody(target)
	in.dropBody()
	if err != nil {
		return &decodeError{err}
	}
	in.value = target
	if push {
		return h.runAfterReadPushBody(&in.passage)
	}
	return h.runAfterReadCallBody(&in.passage)
}

// sent looks at how sending a reply went, or several. A peer that calls and does not
// read loses its session; so does one that cannot even be told that a call failed,
// because it would wait for ever.
func (s *Session) sent(method string, err error) {
	if errors.Is(err, errFull) || status.CodeOf(err) == status.WriteFailed {
		s.log().Warn("closing session: cannot reply", "method", method, "error", err)
		s.end(err)
	}
}

// abandon ends the handler's context for a caller that does not wait any more.
func (in *inbound) abandon() {
	in.answered.Store(true)
	in.endContext()
}

func (in *inbound) endContext() {
	if in.timer != nil {
		in.timer.cancel()
	} else {
		in.lazy.end()
	}
}

// statusOf gives what a caller is told of the error of a handler or of a hook; nil is
// success.
func (p *passage) statusOf(err error) *status.Status {
	if err == nil {
		return nil
	}
	var bad *decodeError
	st, isStatus := status.From(err)
	switch {
	case isStatus && (st == nil || st.Code == status.OK):
		return nil
	case errors.As(err, &bad):
		return p.session.incident(p.method, status.BadMessage, err)
	case isStatus && st.Code >= 100 && st.Code < 200:
		// The handler's own call failed on another connection: the caller must not
		// take that for the end of its own.
		return p.session.incident(p.method, status.BadGateway, err)
	case isStatus:
		return st
	case errors.Is(err, context.DeadlineExceeded) && p.Err() != nil:
		return status.New(status.HandleTimeout, "")
	default:
		return p.session.incident(p.method, status.InternalServerError, err)
	}
}
