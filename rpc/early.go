package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// maxEarlyMessage is how many bytes a message may have that comes before the hooks of a
// new session have let it in.
const maxEarlyMessage = 64 << 10

var errSetUpTime = errors.New("the session was not set up in time")

// earlyHooks tells whether the session belongs to hooks before it works.
func (s *Session) earlyHooks() bool {
	if s.dialed {
		return len(s.e.hooks.afterDial) > 0
	}
	return len(s.e.hooks.afterAccept) > 0
}

// setUp does what comes before the first message: the handshake of the connection,
// and the hooks that have the session for themselves.
func (s *Session) setUp() error {
	_, shakes := s.conn.(handshaker)
	early := s.life.stage() == early
	if !shakes && !early {
		return nil
	}
	timer := time.AfterFunc(s.e.limits.HandshakeTime, func() { s.end(errSetUpTime) })
	defer timer.Stop()
	if shakes {
		if err := s.handshake(); err != nil {
			return fmt.Errorf("handshake failed: %w", err)
		}
	}
	if !early {
		return nil
	}
	s.read.limit(min(maxEarlyMessage, s.e.limits.Message))
	if err := s.runEarlyHooks(); err != nil {
		return err
	}
	s.read.limit(s.e.limits.Message)
	return s.enter()
}

func (s *Session) runEarlyHooks() error {
	if s.dialed {
		return s.e.hooks.runAfterDial(s, s.redial)
	}
	return s.e.hooks.runAfterAccept(s)
}

// enter lets the session work like all others.
func (s *Session) enter() error {
	if !s.life.advance(open) {
		return s.whyClosed()
	}
	if s.e.life.stage() != open {
		s.sendGoaway(s.e.timeToLeave())
	}
	return nil
}

// settled waits until the session works, and gives what the hooks had against it. A hook
// that hangs keeps the session's goroutine, not who dials.
func (s *Session) settled(ctx context.Context) error {
	if s.ready == nil {
		return nil
	}
	select {
	case <-s.ready:
		return s.refusal
	case <-ctx.Done():
		s.end(context.Cause(ctx))
		return context.Cause(ctx)
	}
}

// Context ends with the session, be it over before it works.
func (s *Session) Context() context.Context { return s.ctx }

// SendAuth writes a message of an authentication, an AuthCall or an AuthReply, with a
// body in the endpoint's default codec. It works before the session does.
func (s *Session) SendAuth(t message.Type, st *status.Status, body any) error {
	if err := s.wantEarly(t); err != nil {
		return err
	}
	m := message.Message{Type: t, Seq: s.calls.number(), Status: st, Codec: s.codecFor(0)}
	var err error
	if m.Body, err = s.e.encode(m.Codec, body); err != nil {
		return status.Newf(status.WriteFailed, "cannot encode the %v: %w", t, err)
	}
	return s.send(s.ctx, s.e.limits.HandshakeTime, &m, nil)
}

// ReceiveAuth reads one message, whatever its type, and decodes the body of an
// authentication into body, a pointer or nil; not that of an AuthReply with a status. It
// works before the session does. The message's Body is not kept.
func (s *Session) ReceiveAuth(body any) (*message.Message, error) {
	if err := s.wantEarly(message.AuthCall); err != nil {
		return nil, err
	}
	m := new(message.Message)
	if err := s.read.next(m); err != nil {
		if cause := s.Err(); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("cannot read the authentication: %w", err)
	}
	raw := append([]byte(nil), m.Body...)
	m.Body, m.Filters = nil, nil
	if m.Type != message.AuthCall && (m.Type != message.AuthReply || m.Status != nil) {
		return m, nil
	}
	if err := s.e.decode(m.Codec, raw, body); err != nil {
		return nil, status.Newf(status.BadMessage, "cannot decode the %v: %w", m.Type, err)
	}
	return m, nil
}

func (s *Session) wantEarly(t message.Type) error {
	if t != message.AuthCall && t != message.AuthReply {
		return status.New(status.InvalidOperation, fmt.Sprintf("%v is no message of an authentication", t))
	}
	if s.life.stage() != early {
		return status.New(status.InvalidOperation, "a session is authenticated before it works")
	}
	return nil
}
