package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// dispatch hands a message on, which the session's reading has in its memory. It runs on the
// reader's goroutine and never waits for a handler. An error ends the session.
func (s *Session) dispatch(m *message.Message) error {
	switch m.Type {
	case message.Reply:
		s.dispatchReply(m)
		return nil
	case message.Call, message.Push:
		s.noteNumber(m.Seq)
	case message.AuthReply:
		if m.Status != nil {
			return &deniedError{m.Status}
		}
		fallthrough
	default:
		return &frameError{fmt.Errorf("message type %d (%v) has no business in a session", m.Type, m.Type)}
	}
	if m.Refusal != nil {
		s.refuse(s.reading.take(), m.Refusal)
		return nil
	}
	if m.Type == message.Push && strings.HasPrefix(m.Method, reservedPrefix) {
		s.control(m)
		return nil
	}
	if s.traits.InOrder {
		// Such a peer sends ahead without numbers, and does not expect to be refused for it.
		s.lane.awaitRoom(s.e.limits.SessionHandlers, s.ctx.Done())
	}
	in := s.reading.take()
	if st := s.receive(in); st != nil {
		s.refuse(in, st)
	}
	return nil
}

// receive starts the handler of a message, or says why not.
func (s *Session) receive(in *inbound) *status.Status {
	if err := s.runHeaderHooks(in); err != nil {
		return in.statusOf(err)
	}
	r := s.lastRoute
	if r == nil || r.method != in.method || r.push != in.push() { // most are like the one before
		r = s.e.router.lookup(in.push(), in.method)
	}
	if r == nil {
		return unknownRoute(in.method)
	}
	in.route = r
	if r.method == in.method { // and does not stand for what is unknown
		s.lastRoute = r
	}
	return s.accept(in)
}

func (s *Session) runHeaderHooks(in *inbound) error {
	if in.push() {
		return s.e.hooks.runAfterReadPushHeader(&in.passage)
	}
	return s.e.hooks.runAfterReadCallHeader(&in.passage)
}

// noteNumber keeps the highest number seen, for GOAWAY; numbers wrap.
func (s *Session) noteNumber(seq int32) {
	if last := s.lastIn.Load(); seq-last > 0 {
		s.lastIn.Store(seq)
	}
}

// dispatchReply goes straight to the waiting caller, who decodes it.
func (s *Session) dispatchReply(m *message.Message) {
	if m.Status != nil && m.Status.Retry {
		s.peer.MarkOurs()
	}
	c, others := s.calls.take(m.Seq)
	if c == nil {
		s.e.counters.lateReplies.Add(1)
		return
	}
	c.reply.m = *m
	c.reply.m.Meta = m.Meta.Clone()
	c.reply.m.Filters = nil
	c.reply.session = s
	c.reply.keepBody(s, c.bytes)
	c.done <- struct{}{}
	if others == 0 && s.came == 1 {
		runtime.Gosched() // nothing more will come before the caller, who is alone, has gone on
	}
}

func unknownRoute(method string) *status.Status {
	if method == "" {
		return status.New(status.BadMessage, "invalid service method for message")
	}
	return status.New(status.NotFound, "")
}

// accept starts the handler, or says why not.
func (s *Session) accept(in *inbound) *status.Status {
	r := in.route
	if err := s.begin(); err != nil {
		return status.New(status.Overloaded, "the session is closing").WithRetry()
	}
	in.size = len(in.m.Body)
	in.started = s.heard.last() // the read that it came with
	if bound := s.e.admit(in); bound != "" {
		s.work.done()
		return status.New(status.Overloaded, bound).WithRetry()
	}
	inOrder := r.ordered || s.traits.InOrder
	in.keep(r.inline && !inOrder)
	in.watch()
	switch {
	case inOrder:
		s.lane.enter(in)
	case r.inline:
		s.hold(in)
		in.run()
	case s.reading.takes(in):
		s.hold(in)
		s.reading.run(in)
	default:
		s.e.workers.start(in)
	}
	return nil
}

// keep copies out of the reader's buffer what the handler needs; one that runs inline is
// done with the body before the reader goes on.
func (in *inbound) keep(inline bool) {
	s := in.session
	in.m.Filters = bytes.Clone(in.m.Filters)
	if !inline {
		in.keepBody(s, in.route.takesBytes())
	}
	timeout := in.route.timeout
	if timeout == 0 {
		timeout = s.e.config.HandlerTimeout
	}
	if asked, ok := in.patience(); ok {
		s.peer.MarkOurs()
		if timeout == 0 || asked < timeout {
			timeout = asked
		}
	}
	// A PUSH outlives its session: who sent it may have left right after.
	parent := s.ctx
	if in.push() {
		parent = s.e.group.Context()
	}
	if timeout > 0 {
		in.timer = new(handlerTimer)
		in.Context, in.timer.cancel = context.WithTimeout(parent, timeout)
	} else {
		in.lazy.parent = parent
		in.Context = &in.lazy
	}
}

// refuse answers a CALL and drops a PUSH. A peer that sends more than it reads
// answers of ends its session.
func (s *Session) refuse(in *inbound, st *status.Status) {
	defer in.end(st)
	if in.push() {
		s.noteDropped(in.method, st)
		return
	}
	if st.Code == status.Overloaded {
		s.e.counters.overloads.Add(1)
	}
	p := passage{Context: s.ctx, session: s, method: in.method, request: &in.passage}
	p.m = message.Message{Type: message.Reply, Seq: in.m.Seq, Status: st, Filters: in.m.Filters}
	err := s.writeReply(&p, in.hooks(), waitNever)
	if errors.Is(err, errFull) {
		s.log().Warn("closing session", "error", err)
		s.end(err)
	}
}

// noteDropped counts a PUSH that no handler gets.
func (s *Session) noteDropped(method string, st *status.Status) {
	if st.Code == status.Overloaded {
		s.e.counters.overloads.Add(1)
	}
	s.e.counters.droppedPushes.Add(1)
	s.e.warns.log(s.log(), "push dropped", "method", method, "status", st.Error())
}
