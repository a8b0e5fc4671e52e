package host

import (
	"context"
	"syscall"
	"time"
)

// stop ends the fleet within a limit and then the master. Stop wins: a reload
// that runs is taken back first.
func (m *master) stop(limit time.Duration, why string) {
	m.mu.Lock()
	already := m.stopping || m.succeeded
	m.stopping = true
	m.mu.Unlock()
	if already {
		return
	}
	m.move("stopping", why)
	m.group.Cancel(errStopping)
	m.group.Go("stop", func(context.Context) {
		_ = m.transitions.take(context.Background()) // a transition that runs ends soon: its context has
		defer m.transitions.give()
		if m.forward(syscall.SIGTERM) {
			return // the reload could not be taken back any more; its process stops instead
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		m.fleet.stop(ctx, m.cutNow)
		err := m.endPredecessor(limit)
		m.move("stopped", "")
		m.end(err)
	})
}

// endPredecessor sees to it that the former master, which may still be draining,
// has gone as well when this one ends.
func (m *master) endPredecessor(limit time.Duration) error {
	if m.successor == nil || m.awaitsOrder() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+killGrace)
	defer cancel()
	return m.successor.endPredecessor(ctx, limit)
}

// hurry gives what drains here no more time than limit.
func (m *master) hurry(limit time.Duration) {
	if !m.hasHeir() {
		return // it is not that one's to say
	}
	m.group.Go("hurry", func(context.Context) {
		select {
		case <-time.After(limit):
			m.fleet.cutAll()
		case <-m.ended:
		}
	})
}

// noteLeft takes note of what the former master had to cut.
func (m *master) noteLeft(l legacy) {
	m.mu.Lock()
	m.counts.Cut += len(l.Cut)
	m.mu.Unlock()
	if len(l.Cut) > 0 {
		m.events.publish(WorkCut{Place: Place{Worker: mainWorker, Instance: 1, Generation: l.Generation}, What: l.Cut})
	}
}

// retire ends this master after its heir has taken over: what still runs
// here drains, and then there is nothing left.
func (m *master) retire(heir *flipInstance, q queue) {
	m.mu.Lock()
	m.succeeded, m.heir = true, heir.Pid()
	m.mu.Unlock()
	if late := m.reloads.retire(q); late {
		m.forward(syscall.SIGUSR2)
	}
	m.logs.own(false)
	before := len(m.fleet.cuts())
	m.move("retired", "")
	m.group.Go("retire", func(context.Context) {
		var l legacy
		for _, r := range m.fleet.leaving() {
			<-r.over
			l.Generation = r.gen.number
		}
		l.Cut = m.fleet.cuts()[before:]
		ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
		defer cancel()
		if err := heir.leave(ctx, l); err != nil {
			m.log.Warn("cannot tell the new master what was cut", "cut", l.Cut, "error", err)
		}
		m.end(nil)
	})
}
