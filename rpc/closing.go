package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Close ends the session in order and does not wait: no new work starts, our own
// calls that wait fail, handlers that run may finish and their replies are
// written, for at most Limits.CloseTime. A handler may close its own session.
// Done tells when the session is over. Close always returns nil.
func (s *Session) Close() error {
	if !s.life.advance(leaving) {
		return nil
	}
	s.mu.Lock()
	s.grace = time.AfterFunc(s.e.limits.CloseTime, func() {
		s.end(errors.New("the orderly close took too long"))
	})
	s.mu.Unlock()
	s.calls.fail(s.whyClosed(), true, s.isUnsent)
	s.onQuiet()
	return nil
}

// CloseFor is Close for a reason, which the log tells and Err gives.
func (s *Session) CloseFor(reason error) {
	if s.life.stage() < leaving {
		s.log().Info("closing session", "reason", reason)
	}
	s.closeFor(reason)
}

// closeFor is Close for a reason that Err will give.
func (s *Session) closeFor(reason error) {
	s.giveReason(reason)
	s.Close()
}

// giveReason says why the session is about to be closed, unless somebody has said so.
func (s *Session) giveReason(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == nil {
		s.reason = reason
	}
}

// onQuiet is called when there is no work left, and when that could be so.
func (s *Session) onQuiet() {
	if s.life.stage() == leaving && s.work.n.Load() == 0 {
		s.out.finish()
	}
}

// closeWrite tells the peer that nothing more comes and leaves the reader to
// wait for the same from the peer. Closing at once could destroy what the peer
// has not read yet, because a socket with unread bytes is reset.
func (s *Session) closeWrite() {
	s.wroteAll.Store(true)
	if s.hungUp.Load() {
		s.end(io.EOF)
		return
	}
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		return
	}
	s.end(net.ErrClosed)
}

// end cuts the session. Only the first call counts.
func (s *Session) end(cause error) {
	if !s.life.advance(over) {
		return
	}
	s.mu.Lock()
	if s.reason != nil {
		cause = s.reason
	}
	for _, t := range []*time.Timer{s.grace, s.age} {
		if t != nil {
			t.Stop()
		}
	}
	s.mu.Unlock()
	s.stop(cause)
	s.out.close(cause)
	_ = s.conn.Close() // the session is over whatever it says
	s.calls.fail(cause, true, s.isUnsent)
}

// Shutdown tells the peer that we go, waits until it has left or, on a session
// that we dialled or whose peer goes too, until no work is left, and closes. If
// ctx ends first the session is cut and a *CutError names the calls that were.
func (s *Session) Shutdown(ctx context.Context) error {
	s.sendGoaway(timeLeft(ctx, s.e.limits.DrainTime))
	s.leave(ctx)
	return s.cut()
}

// leave waits as Shutdown says; it returns early when ctx ends.
func (s *Session) leave(ctx context.Context) {
	for {
		var quiet <-chan struct{}
		goingAway := s.GoingAway()
		var rested <-chan time.Time
		if s.mayLeave() {
			goingAway = nil
			if quiet = s.work.quiet(); quiet == nil {
				if rested = s.rest(); rested == nil {
					s.Close()
				}
			}
		}
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			return
		case <-quiet:
		case <-rested:
		case <-goingAway:
		}
	}
}

// quietTime is how long a peer that cannot be told has been silent before we hang up: a
// next call that it has sent already would be lost.
const quietTime = 300 * time.Millisecond

// rest gives a channel that tells when it is time to look again; nil is now.
func (s *Session) rest() <-chan time.Time {
	left := quietTime - time.Since(s.LastRead())
	if !s.untold() || s.dialed || left <= 0 || s.hungUp.Load() {
		return nil
	}
	return time.After(left)
}

func (s *Session) untold() bool { return s.traits.Untold || s.peer.Untold() }

// mayLeave tells whether it is on us to hang up. A peer that dialled leaves by
// itself, if it can be told: it alone knows whether its next call is on the way.
func (s *Session) mayLeave() bool {
	if s.dialed || s.untold() {
		return true
	}
	select {
	case <-s.goingAway:
		return true
	default:
		return false
	}
}

// cut ends a session that has not ended yet and reports what was lost.
func (s *Session) cut() error {
	report := &CutError{}
	report.add(s)
	if len(report.Calls) == 0 {
		return nil
	}
	return report
}

func (r *CutError) add(s *Session) {
	select {
	case <-s.done:
		return
	default:
	}
	r.Sessions++
	now := s.heard.now()
	note := func(method string, seq int32, incoming bool, started time.Duration) {
		r.Calls = append(r.Calls, CutCall{
			Session: s.ID(), Peer: s.peerName(), Method: method, Seq: seq, Incoming: incoming, Age: now - started,
		})
	}
	for _, in := range s.running.list() {
		note(in.method, in.seq, true, in.started)
	}
	for _, c := range s.calls.list() {
		note(c.method, c.seq, false, c.started)
	}
	s.sendFinalGoaway()
	s.end(errors.New("cut at the deadline of a shutdown"))
}

func timeLeft(ctx context.Context, otherwise time.Duration) time.Duration {
	if t, ok := ctx.Deadline(); ok {
		return max(time.Until(t), 0)
	}
	return otherwise
}
