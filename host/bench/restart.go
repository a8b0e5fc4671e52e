package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

const (
	// youngAge is the age at which a young child is killed.
	youngAge = 30 * time.Millisecond
	// restartTime is how long a restart may take.
	restartTime = 15 * time.Second
	// stillness is how long nobody else is killed after a kill.
	stillness = 60 * time.Millisecond
)

// subject is a peer with one child, which is killed again and again.
type subject struct {
	run
	births int           // that are known
	last   birth         // the newest of them
	killed time.Duration // when that was killed, monotonic; 0 if it was not
}

// restarts lets all peers run side by side, each with one child, and kills these
// one after the other, never two at a time. What is measured is the time from the
// kill to the first instruction of the next child.
func (b *bench) restarts(ctx context.Context, cell string, age time.Duration) error {
	var subjects []*subject
	defer func() {
		for _, s := range subjects {
			b.finish(s.run)
		}
	}()
	for _, p := range b.turn(0, logPeers()...) {
		r, err := b.start(ctx, p, keepOn, 1)
		if err == nil {
			subjects = append(subjects, &subject{run: r})
		} else if err := b.failed(ctx, cell, p.name(), err); err != nil {
			return err
		}
	}
	lost := make(map[*subject]bool)
	for i := range b.scale.Kills + 1 {
		for k := range subjects {
			s := subjects[(k+i)%len(subjects)]
			if lost[s] {
				continue
			}
			if err := b.again(ctx, cell, s, age, i == b.scale.Kills); err != nil {
				lost[s] = true
				if err := b.failed(ctx, cell, s.peer, err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// again notes what the kill before has led to, and kills once more unless it was
// the last one. A slow peer is not waited for: the next turn does that, and the
// child itself has written down when it began.
func (b *bench) again(ctx context.Context, cell string, s *subject, age time.Duration, last bool) error {
	limited, cancel := context.WithTimeoutCause(ctx, restartTime, fmt.Errorf("within %v", restartTime))
	defer cancel()
	if err := s.reg.await(limited, s.births+1); err != nil {
		return err
	}
	born, err := s.reg.births(s.births)
	if err != nil {
		return err
	}
	if s.killed > 0 {
		if len(born) > 1 {
			return fmt.Errorf("%d children were started for one that was killed", len(born))
		}
		b.add(cell, s.peer, "median", (born[0].at-s.killed).Seconds()*1e3)
		b.add(cell, s.peer, "p99", (born[0].at-s.killed).Seconds()*1e3)
	}
	s.births, s.last = s.births+len(born), born[len(born)-1]
	if last {
		return nil
	}
	if err := pause(ctx, s.last.at+age-monotonic()); err != nil {
		return err
	}
	if err := s.kill9(); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, stillness)
	defer cancel()
	if s.reg.await(soon, s.births+1) == nil {
		return nil
	}
	return ctx.Err()
}

func (s *subject) kill9() error {
	h, err := openProcess(s.last.pid)
	if err != nil {
		return err
	}
	defer h.close()
	s.killed = monotonic()
	return h.signal(syscall.SIGKILL)
}
