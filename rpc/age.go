package rpc

import (
	"context"
	"time"
)

// SetAge says how long from now the session may live, as Config.SessionAge does from
// its beginning. 0 is no limit.
func (s *Session) SetAge(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.age != nil {
		s.age.Stop()
		s.age = nil
	}
	if d > 0 && s.life.stage() != over {
		s.age = time.AfterFunc(d, func() { s.e.group.Go("age", s.retire) })
	}
}

// retire asks the peer to take new calls elsewhere, waits until it has gone, at most
// Limits.DrainTime, and closes.
func (s *Session) retire(ctx context.Context) {
	if s.life.stage() != open {
		return
	}
	s.giveReason(ErrAge)
	if s.dialed {
		s.mu.Lock()
		s.goElsewhere() // our own calls, too
		s.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, s.e.limits.DrainTime)
	defer cancel()
	s.sendGoaway(s.e.limits.DrainTime)
	s.leave(ctx)
	s.Close()
}
