package rpc

import (
	"context"
	"strconv"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// What this implementation adds to the protocols travels as a PUSH to a route
// below /_ or as metadata, so that an older peer ignores it.
const (
	reservedPrefix = "/_"
	routeGoaway    = "/_goaway" // take new calls elsewhere
	routeCancel    = "/_cancel" // nobody waits for this call any more

	metaTimeout  = "X-Timeout-Ms"        // how long the caller waits, relative
	metaAccept   = "X-Accept-Body-Codec" // the codec that the reply shall have
	metaSeq      = "seq"                 // of the last call accepted; of the call cancelled
	metaDeadline = "deadline_ms"         // when the session will be cut, relative
)

// sendGoaway asks the peer, once, to take new calls elsewhere.
func (s *Session) sendGoaway(left time.Duration) {
	if s.saidGoaway.CompareAndSwap(false, true) {
		s.pushGoaway(max(left, time.Millisecond)) // 0 is said at the very end
	}
}

// sendFinalGoaway tells the peer which of its calls were certainly not
// executed, right before the session is cut. From here on none is: what the
// reader lets in has been numbered before it asks whether the session leaves.
func (s *Session) sendFinalGoaway() {
	s.life.advance(leaving)
	s.saidGoaway.Store(true)
	s.pushGoaway(0)
}

func (s *Session) pushGoaway(left time.Duration) {
	m := message.Message{Type: message.Push, Method: routeGoaway}
	m.Meta.Set(metaSeq, strconv.Itoa(int(s.lastIn.Load())))
	m.Meta.Set(metaDeadline, strconv.FormatInt(left.Milliseconds(), 10))
	s.sendControl(&m)
}

// sendCancel tells the peer that nobody waits for its reply, if it understands.
func (s *Session) sendCancel(seq int32) {
	if !s.peer.Ours() {
		return
	}
	m := message.Message{Type: message.Push, Method: routeCancel}
	m.Meta.Set(metaSeq, strconv.Itoa(int(seq)))
	s.sendControl(&m)
}

// sendControl never waits. A control message is advice: with a peer that does
// not read it is lost.
func (s *Session) sendControl(m *message.Message) {
	m.Seq = s.calls.number()
	if err := s.send(context.Background(), waitNever, m, nil); err != nil {
		s.log().Debug("control message not sent", "method", m.Method, "error", err)
	}
}

// control handles a PUSH below /_ ; unknown ones are for newer versions.
func (s *Session) control(m *message.Message) {
	s.peer.MarkOurs()
	seq, err := strconv.ParseInt(m.Meta.Value(metaSeq), 10, 32)
	if err != nil {
		s.log().Debug("control message without a number", "method", m.Method)
		return
	}
	switch m.Method {
	case routeGoaway:
		s.peerGoesAway(int32(seq), m.Meta.Value(metaDeadline))
	case routeCancel:
		s.running.abandon(int32(seq))
	}
}

func (s *Session) peerGoesAway(seq int32, deadline string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if deadline == "0" {
		s.final = &seq
	}
	s.goElsewhere()
}

// goElsewhere tells those who use the session that it is about to end; the lock is held.
func (s *Session) goElsewhere() {
	select {
	case <-s.goingAway:
		return
	default:
	}
	close(s.goingAway)
	if s.watch.goingAway != nil {
		s.e.workers.run(s.watch.goingAway)
	}
}

// isUnsent tells whether the peer said that it never executed our call.
func (s *Session) isUnsent(seq int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.final != nil && seq-*s.final > 0 // numbers wrap
}
