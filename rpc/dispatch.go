package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// dispatch hands a message on. It runs on the reader's goroutine and never
// waits for a handler. An error ends the session.
func (s *Session) dispatch(m *message.Message) error {
	switch m.Type {
	case message.Reply:
		s.dispatchReply(m)
		return nil
	case message.Call, message.Push:
		s.noteNumber(m.Seq)
	default:
		return &frameError{fmt.Errorf("message type %d (%v) has no business in a session", m.Type, m.Type)}
	}
	if m.Refusal != nil {
		s.refuse(m, m.Refusal)
		return nil
	}
	if m.Type == message.Push && strings.HasPrefix(m.Method, reservedPrefix) {
		s.control(m)
		return nil
	}
	r := s.e.router.lookup(m.Type == message.Push, m.Method)
	if r == nil {
		s.refuse(m, unknownRoute(m))
		return nil
	}
	if st := s.accept(r, m); st != nil {
		s.refuse(m, st)
	}
	return nil
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
	c := s.calls.take(m.Seq)
	if c == nil {
		s.e.counters.lateReplies.Add(1)
		return
	}
	c.reply = *m
	c.reply.Meta = m.Meta.Clone()
	c.reply.Body = append([]byte(nil), m.Body...)
	c.reply.Filters = nil
	c.done <- struct{}{}
}

func unknownRoute(m *message.Message) *status.Status {
	if m.Method == "" {
		return status.New(status.BadMessage, "invalid service method for message")
	}
	return status.New(status.NotFound, "")
}

// accept starts the handler, or says why not.
func (s *Session) accept(r *route, m *message.Message) *status.Status {
	if err := s.begin(); err != nil {
		return status.New(status.Overloaded, "the session is closing").WithRetry()
	}
	if bound := s.e.admit(s, r, len(m.Body)); bound != "" {
		s.work.done()
		return status.New(status.Overloaded, bound).WithRetry()
	}
	s.e.handlers.add()
	in := s.newInbound(r, m)
	s.running.add(in)
	in.watch()
	if r.ordered || s.traits.InOrder {
		s.lane.enter(in)
	} else {
		s.e.workers.run(in.run)
	}
	return nil
}

// newInbound copies out of the reader's buffer what the handler needs.
func (s *Session) newInbound(r *route, m *message.Message) *inbound {
	in := &inbound{
		session: s, route: r, started: time.Now(),
		seq: m.Seq, push: r.push, method: m.Method, codec: m.Codec,
		meta: m.Meta.Clone(), filters: bytes.Clone(m.Filters), body: append([]byte(nil), m.Body...), size: len(m.Body),
	}
	timeout := r.timeout
	if timeout == 0 {
		timeout = s.e.config.HandlerTimeout
	}
	if asked, ok := parseTimeout(m.Meta.Value(metaTimeout)); ok {
		s.peer.MarkOurs()
		if timeout == 0 || asked < timeout {
			timeout = asked
		}
	}
	// A PUSH outlives its session: who sent it may have left right after.
	parent := s.ctx
	if r.push {
		parent = s.e.group.Context()
	}
	if timeout > 0 {
		in.Context, in.cancel = context.WithTimeout(parent, timeout)
	} else {
		in.Context, in.cancel = context.WithCancel(parent)
	}
	return in
}

// refuse answers a CALL and drops a PUSH. A peer that sends more than it reads
// answers of ends its session.
func (s *Session) refuse(m *message.Message, st *status.Status) {
	if st.Code == status.Overloaded {
		s.e.counters.overloads.Add(1)
	}
	if m.Type == message.Push {
		s.e.counters.droppedPushes.Add(1)
		s.e.warns.log(s.log(), "push dropped", "method", m.Method, "status", st.Error())
		return
	}
	answer := message.Message{Type: message.Reply, Seq: m.Seq, Status: st, Filters: m.Filters}
	err := s.send(context.Background(), waitNever, &answer)
	if status.CodeOf(err) == status.WriteFailed && len(answer.Filters) > 0 {
		answer.Filters = nil
		err = s.send(context.Background(), waitNever, &answer)
	}
	if errors.Is(err, errFull) {
		s.log().Warn("closing session", "error", err)
		s.end(err)
	}
}
