package rpc

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// ID is unique among the sessions of the endpoint: what SetID said, else a number.
func (s *Session) ID() string {
	if id := s.id.Load(); id != nil {
		return *id
	}
	return strconv.FormatUint(s.number, 10)
}

// SetID names the session, after a user for example, so that [Endpoint.Session] finds
// it. Another session that has the name gives it up and ends in order with
// [ErrReplaced]. The name stays after the end of the session, whose name it is no more.
// An empty id gives the name up.
func (s *Session) SetID(id string) {
	old := s.e.name(s, id)
	if old != nil && old != s {
		old.log().Info("closing session: another one has taken its id", "by", s.number)
		if !old.dialed && old.life.stage() == open {
			old.sendGoaway(s.e.limits.CloseTime) // its next calls need not fail first
		}
		old.closeFor(ErrReplaced)
	}
}

// name gives the session the id, and whoever had it before.
func (e *Endpoint) name(s *Session, id string) (old *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(s)
	if id == "" {
		s.id.Store(nil)
		return nil
	}
	s.id.Store(&id)
	if e.sessions[s.number] != s {
		return nil // it has ended and takes nothing from others
	}
	old = e.ids[id]
	e.ids[id] = s
	return old
}

// forget takes the session's id away; the lock is held.
func (e *Endpoint) forget(s *Session) {
	if id := s.id.Load(); id != nil && e.ids[*id] == s {
		delete(e.ids, *id)
	}
}

func (e *Endpoint) remove(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(s)
	delete(e.sessions, s.number)
}

// Session finds an open session by the ID that SetID gave it, or by its number.
func (e *Endpoint) Session(id string) (*Session, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.ids[id]
	if s == nil {
		number, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return nil, false
		}
		s = e.sessions[number]
	}
	if s == nil || s.ID() != id || s.life.stage() != open {
		return nil, false
	}
	return s, true
}

// Sessions lists the sessions that work, in the order in which they began.
func (e *Endpoint) Sessions() []*Session {
	return slices.DeleteFunc(e.all(), func(s *Session) bool { return s.life.stage() != open })
}

// all lists those too that do not work yet or end.
func (e *Endpoint) all() []*Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*Session, 0, len(e.sessions))
	for _, s := range e.sessions {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *Session) int { return cmp.Compare(a.number, b.number) })
	return list
}

// PushAll pushes to every session that works, or to those that [Endpoint.PushTo] is
// given: see there.
func (e *Endpoint) PushAll(ctx context.Context, method string, body any, opts ...CallOption) (sent int, err error) {
	return e.PushTo(ctx, slices.Values(e.Sessions()), method, body, opts...)
}

// PushTo pushes one message to many sessions, whose body is encoded once. It waits for
// nobody: a session whose peer reads too slowly does not get it. sent is how many took
// it; the error says how many did not, and holds the first reason.
func (e *Endpoint) PushTo(ctx context.Context, sessions iter.Seq[*Session], method string, body any, opts ...CallOption) (sent int, err error) {
	encoded := make(map[byte][]byte, 1)
	var first error
	failed := 0
	for s := range sessions {
		if err := s.pushEncoded(ctx, encoded, method, body, opts); err != nil {
			failed++
			first = cmp.Or(first, err)
			continue
		}
		sent++
	}
	if first != nil {
		return sent, fmt.Errorf("cannot push %s to %d of %d sessions: %w", method, failed, failed+sent, first)
	}
	return sent, nil
}

// pushEncoded encodes the body unless that was done for the codec before.
func (s *Session) pushEncoded(ctx context.Context, encoded map[byte][]byte, method string, body any, opts []CallOption) error {
	c := s.e.ended.get(opts)
	defer s.e.ended.put(c)
	if err := s.chooseCodec(&c.options); err != nil {
		return err
	}
	raw, done := encoded[c.options.codec]
	if !done {
		var err error
		if raw, err = s.e.encode(c.options.codec, body); err != nil {
			return fmt.Errorf("cannot encode the body: %w", err)
		}
		encoded[c.options.codec] = raw
	}
	return s.push(ctx, waitNever, c, method, raw)
}
