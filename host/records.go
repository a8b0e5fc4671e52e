package host

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/sandbox"
)

// stateRecord is state.json: what there is, for people and programs that look
// while nobody answers, and for the next master if this one is killed.
type stateRecord struct {
	Name    string         `json:"name"`
	Mode    string         `json:"mode"`
	Pid     int            `json:"pid"`
	Build   string         `json:"build"`
	Config  string         `json:"config"`          // config.Config.Hash
	Doors   string         `json:"doors,omitempty"` // address of the reception
	Workers []workerRecord `json:"workers"`
	Sockets []socketKey    `json:"sockets,omitempty"`

	Programs program.Records `json:"programs"`
}

// workerRecord is a generation of a worker, as far as another master has to know
// it.
type workerRecord struct {
	Worker     string           `json:"worker"`
	Instance   int              `json:"instance"`
	Generation int              `json:"generation"`
	State      string           `json:"state"`
	Pid        int              `json:"pid"`
	Started    time.Time        `json:"started"`
	Restarts   int              `json:"restarts,omitempty"`
	Lost       string           `json:"lost,omitempty"`   // why the one before was lost
	Drained    time.Time        `json:"drained,omitzero"` // when its draining is cut
	Binary     string           `json:"binary"`           // path that it was started from
	Assignment Assignment       `json:"assignment"`       // without Config
	Sandboxes  []sandbox.Status `json:"sandboxes"`
	Process    supervise.Record `json:"process"`
}

// recordFor describes a generation to another master, if it is a process; process
// describes that.
func (g *generation) recordFor(process func(*supervise.Process) supervise.Record) (workerRecord, bool) {
	g.mu.Lock()
	run := g.run
	g.mu.Unlock()
	i, ok := run.(*processInstance)
	state, boxes := g.snapshot()
	if !ok || state == Gone {
		return workerRecord{}, false
	}
	as := i.work.Assignment
	as.Config = nil // that of the plan
	return workerRecord{
		Worker: g.work.Worker, Instance: g.work.Instance, Generation: g.number, State: state.String(), Pid: i.Pid(),
		Started: g.started, Binary: g.work.Build.path, Assignment: as, Sandboxes: boxes, Process: process(i.process),
	}, true
}

// records describes all processes of the fleet: those that serve, those that
// drain, and those that are on their way in.
func (f *fleet) records(process func(*supervise.Process) supervise.Record) []workerRecord {
	f.moving.Lock()
	defer f.moving.Unlock()
	out := []workerRecord{}
	serving := make(map[*generation]bool)
	for _, s := range f.all() {
		s.mu.Lock()
		g, restarts, lost := s.current, s.restarts, s.lost
		s.mu.Unlock()
		serving[g] = true
		if r, ok := g.recordFor(process); ok {
			r.Restarts, r.Lost = restarts, lost
			out = append(out, r)
		}
		if g := s.reviving(); g != nil && !serving[g] {
			if r, ok := g.recordFor(process); ok {
				out = append(out, r)
			}
		}
	}
	for _, e := range f.arriving() {
		if !serving[e.gen] {
			if r, ok := e.gen.recordFor(process); ok {
				out = append(out, r)
			}
		}
	}
	for _, d := range f.leaving() {
		if serving[d.gen] {
			continue
		}
		if r, ok := d.gen.recordFor(process); ok {
			r.Drained = d.until
			out = append(out, r)
		}
	}
	return out
}

// noteInterval is how late state.json may be. What was started later than that
// and is not in it is found by its mark.
const noteInterval = 20 * time.Millisecond

// noteShare is how many times as long as the last writing took the next one waits:
// thousands of processes that start at once must not wait for their own records.
const noteShare = 20

// noteChange is a consumer of events: what there is has changed.
func (m *master) noteChange(Event, ctl.Event) {
	select {
	case m.dirty <- struct{}{}:
	default:
	}
}

// keepState writes state.json soon after changes, until ctx ends. Not at once: a
// change seldom comes alone, and an end should not take the processor from the start
// that follows.
func (m *master) keepState(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.dirty:
		}
		if !wait(ctx, noteInterval) {
			return
		}
		select {
		case <-m.dirty:
		default:
		}
		began := time.Now()
		m.noteNow()
		if !wait(ctx, noteShare*time.Since(began)) {
			return
		}
	}
}

// noteNow writes state.json if that is this process' to do.
func (m *master) noteNow() {
	if !m.owns() {
		return
	}
	if err := m.writeState(); err != nil {
		m.log.Warn("cannot write the state", "error", err)
	}
}

// writeState writes down what another master would have to know, unless that lies
// there already or is another process' to say.
func (m *master) writeState() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if m.entrusted {
		return nil
	}
	text, err := json.Marshal(m.stateRecord())
	if err != nil {
		return fmt.Errorf("cannot write down what there is: %w", err)
	}
	sum := sha256.Sum256(text)
	if sum == m.written {
		return nil
	}
	if err := m.dir.WriteState(json.RawMessage(text)); err != nil {
		return err
	}
	m.written = sum
	return nil
}

// rewriteState is writeState after state.json has vanished.
func (m *master) rewriteState() error {
	m.writing.Lock()
	m.written = [sha256.Size]byte{}
	m.writing.Unlock()
	return m.writeState()
}

// entrustState leaves state.json to a successor from now on, or takes it back.
func (m *master) entrustState(entrusted bool) {
	m.writing.Lock()
	m.entrusted = entrusted
	m.writing.Unlock()
	if !entrusted {
		m.noteChange(nil, ctl.Event{})
	}
}

func (m *master) stateRecord() stateRecord {
	p := m.currentPlan()
	s := stateRecord{
		Name: m.dir.Name, Mode: string(p.config.Mode), Pid: os.Getpid(), Build: p.build.id(), Config: p.hash(),
		Workers: m.fleet.records((*supervise.Process).Identity),
	}
	s.Programs = m.programs.Records()
	if m.doors != nil {
		s.Doors = m.doors.address()
	}
	for _, h := range m.sockets.list() {
		s.Sockets = append(s.Sockets, h.socketKey)
	}
	return s
}

// formerState is what a master left behind that was killed; nil if none was.
func (m *master) formerState() (*stateRecord, error) {
	s := new(stateRecord)
	err := m.dir.ReadState(s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot find out what the former master left: %w", err)
	}
	return s, nil
}
