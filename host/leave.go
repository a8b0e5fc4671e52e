package host

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// stop ends the fleet within a limit and then the master. Stop wins: a reload
// that runs is taken back first. It is false if this master has an heir, whose it is to
// stop.
func (m *master) stop(limit time.Duration, why string) bool {
	m.mu.Lock()
	already, succeeded := m.stopping, m.succeeded
	m.stopping = true
	m.mu.Unlock()
	if already || succeeded {
		return already
	}
	m.move("stopping", why)
	m.group.Cancel(errStopping)
	m.group.Go("stop", func(context.Context) {
		_ = m.transitions.take(context.Background()) // a transition that runs ends soon: its context has
		defer m.transitions.give()
		if m.forward(syscall.SIGTERM) {
			return // the reload could not be taken back any more; its process stops instead
		}
		m.stopEverything(limit)
		err := m.endPredecessor(limit)
		m.move("stopped", "")
		m.end(errors.Join(m.lastWord(), err))
	})
	return true
}

// stopEverything ends programs and workers in the reverse of the order in which
// they need each other. Each worker has until limit to finish what it has, and each
// program what its own stop says.
func (m *master) stopEverything(limit time.Duration) {
	ctx, cut := context.WithCancel(context.Background())
	defer cut()
	m.group.Go("cut", func(context.Context) {
		select {
		case <-m.cutNow:
			cut()
		case <-ctx.Done():
		}
	})
	for _, step := range m.currentPlan().stopSteps() {
		m.stopStep(ctx, step, limit)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m.fleet.stop(within, m.cutNow) // what is configured no more
	m.programs.StopAll(ctx)
}

func (m *master) stopStep(ctx context.Context, step stopStep, limit time.Duration) {
	stopped := make(chan struct{})
	m.group.Go("stop of programs", func(context.Context) {
		defer close(stopped)
		if len(step.programs) > 0 {
			m.programs.StopAll(ctx, step.programs...)
		}
	})
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if len(step.workers) > 0 {
		m.fleet.stop(within, m.cutNow, step.workers...)
	}
	<-stopped
}

// lastWord is what an essential program makes the master end with.
func (m *master) lastWord() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
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
