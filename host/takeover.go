package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/internal/inherit"
)

// awaitOpen is the last step before the first commit. A successor waits here for
// the order of its predecessor; any other master has nobody to wait for.
func (m *master) awaitOpen(ctx context.Context) error {
	if m.successor == nil {
		return nil
	}
	b, err := m.successor.awaitBaton(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.counts, m.commits, m.ordered = b.Reloads, b.Commits, true
	m.mu.Unlock()
	m.events.goOn(b.Events)
	m.successor.baton = b
	return m.takePrograms(b)
}

// takeOver makes this process the master in the eyes of everybody, once its
// first generations serve.
func (m *master) takeOver() error {
	m.mu.Lock()
	m.opened = true
	m.mu.Unlock()
	m.logs.own(true)
	m.forgetSockets()
	err := m.takeName()
	if m.upgrader != nil {
		err = errors.Join(err, m.upgrader.Ready())
	}
	if err != nil && m.successor != nil {
		m.successor.opened <- takeover{err: err}
	}
	return err
}

// arrived tells everybody of the reload that brought this master in, the former
// one last: that one is not heard any more, but answers the reload.
func (m *master) arrived() {
	b := m.successor.baton
	if err := m.reloads.goOn(b.Queue); err != nil {
		m.log.Warn("cannot go on with the reload that was waiting", "error", err)
	}
	m.goOnWithPrograms()
	err := programsError(m.applyPrograms(m.keepers.Context()))
	b.Result.Outcome, b.Result.Took = outcomeCommitted, time.Since(b.Began)
	if err != nil {
		b.Result.Error, b.Result.Output = err.Error(), outputOf(err)
	}
	m.events.publish(ReloadEnded{Result: b.Result})
	m.control.serve()
	m.successor.opened <- takeover{programs: err} // from here on the reload is answered
}

// forgetSockets lets go of what the configuration no longer has, once nobody
// accepts on it: a former master may still be about to stop.
func (m *master) forgetSockets() {
	if m.successor == nil {
		m.sockets.keepOnly(m.currentPlan().holders())
		return
	}
	m.group.Go("forget sockets", func(ctx context.Context) {
		if m.upgrader.WaitForParent(ctx) != nil || m.transitions.take(ctx) != nil {
			return
		}
		// A reload that ran meanwhile may have handed on what it had opened.
		defer m.transitions.give()
		if !m.hasHeir() {
			m.sockets.keepOnly(m.currentPlan().holders())
		}
	})
}

// takeName writes down who is the master now.
func (m *master) takeName() error {
	if m.lifeline != nil {
		if _, err := fmt.Fprintf(m.lifeline, "%d\n", os.Getpid()); err != nil {
			m.log.Warn("cannot tell the launcher", "error", err)
		}
	}
	if m.successor != nil {
		if err := m.dir.WritePid(os.Getpid()); err != nil {
			return err
		}
	}
	return m.writeState()
}

// succession is what this master's successor has to know.
func (m *master) succession(next *plan) (*Succession, error) {
	text, err := next.document().encode()
	if err != nil {
		return nil, err
	}
	s := &Succession{
		Global: m.options.Global, Mode: m.options.Mode, Dir: m.dir, Environ: m.private, Notify: m.notify, Watchdog: m.watchdog, Started: m.started, Plan: text,
		Lifeline: m.lifeline != nil, Background: m.logs.background,
	}
	for _, h := range m.sockets.list() {
		s.Sockets = append(s.Sockets, h.socketKey)
	}
	return s, nil
}

// baton is what goes with the order to open: counts that include the reload that
// is being committed.
func (m *master) baton(began time.Time, result ctl.ReloadResult) (Baton, []program.Kept) {
	records, kept := m.programs.Bequest()
	b := Baton{Programs: &records, Kept: len(kept), Events: m.events.remembered(), Began: began, Result: result, Queue: m.reloads.queue()}
	cut := len(m.fleet.cuts())
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Reloads, b.Commits = m.counts, m.commits+1
	b.Reloads.Done++
	b.Reloads.Cut += cut
	return b, kept
}

// forward passes a signal on to the process that is the master now, if that is
// not this one.
func (m *master) forward(s os.Signal) bool {
	m.mu.Lock()
	pid, succeeded := m.heir, m.succeeded
	m.mu.Unlock()
	if succeeded {
		_ = syscall.Kill(pid, s.(syscall.Signal)) // ESRCH: it has ended by itself
	}
	return succeeded
}

// tellManager is the service manager above as a consumer of events, if there is
// one that wants to be notified.
func (m *master) tellManager(e Event, _ ctl.Event) {
	moved, ok := e.(MasterMoved)
	if !ok || m.notify == "" {
		return
	}
	lines := noticeOf(moved.State)
	if lines == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	if err := inherit.Notify(ctx, m.notify, lines...); err != nil {
		m.log.Warn("cannot notify the service manager", "notice", strings.Join(lines, " "), "error", err)
	}
}

// noticeOf is what a service manager is told of a state.
func noticeOf(state string) []string {
	switch state {
	case "running":
		return []string{"READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid())}
	case "reloading":
		var now unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
			return nil
		}
		return []string{"RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000)}
	case "stopping":
		return []string{"STOPPING=1"}
	}
	return nil
}
