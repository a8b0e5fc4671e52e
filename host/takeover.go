package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

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
	m.counts, m.commits = b.Reloads, b.Commits
	m.mu.Unlock()
	m.events.rebase(b.Event)
	return nil
}

// takeOver makes this process the master in the eyes of everybody, once its
// first generations serve.
func (m *master) takeOver() error {
	m.mu.Lock()
	m.opened = true
	m.mu.Unlock()
	m.sockets.keepOnly(m.currentPlan().sandboxes())
	err := m.takeName()
	m.control.serve()
	if m.upgrader != nil {
		err = errors.Join(err, m.upgrader.Ready())
	}
	m.tellManager("READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid()))
	if m.successor != nil {
		m.successor.opened <- err
	}
	return err
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
func (m *master) succession(next *plan) *Succession {
	s := &Succession{Notify: m.notify, Started: m.started, Plan: next.document(), Lifeline: m.lifeline != nil}
	for _, h := range m.sockets.list() {
		s.Sockets = append(s.Sockets, h.socketKey)
	}
	return s
}

// baton is what goes with the order to open: counts that include the reload that
// is being committed.
func (m *master) baton() Baton {
	event, cut := m.events.newest(), len(m.fleet.cuts())
	m.mu.Lock()
	defer m.mu.Unlock()
	b := Baton{Event: event, Reloads: m.counts, Commits: m.commits + 1}
	b.Reloads.Done++
	b.Reloads.Cut += cut
	return b
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

// tellManager speaks to the service manager above, if there is one.
func (m *master) tellManager(lines ...string) {
	if m.notify == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	if err := inherit.Notify(ctx, m.notify, lines...); err != nil {
		m.log.Warn("cannot notify the service manager", "notice", strings.Join(lines, " "), "error", err)
	}
}

// stateRecord is state.json: what there is, for people and programs that look
// while nobody answers.
type stateRecord struct {
	Name    string        `json:"name"`
	Mode    string        `json:"mode"`
	Pid     int           `json:"pid"`
	Build   string        `json:"build"`
	Workers []workerState `json:"workers"`
}

type workerState struct {
	Worker     string `json:"worker"`
	Instance   int    `json:"instance"`
	Generation int    `json:"generation"`
	Pid        int    `json:"pid"`
}

func (m *master) writeState() error {
	p := m.currentPlan()
	s := stateRecord{Name: m.dir.Name, Mode: string(p.config.Mode), Pid: os.Getpid(), Build: p.build.id(), Workers: []workerState{}}
	for _, slot := range m.fleet.all() {
		if g, _, _ := slot.watched(); g != nil {
			at := g.place()
			s.Workers = append(s.Workers, workerState{Worker: at.Worker, Instance: at.Instance, Generation: at.Generation, Pid: at.Pid})
		}
	}
	return m.dir.WriteState(s)
}
