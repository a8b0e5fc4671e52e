package ctl_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/ctl"
)

// master is a small real master: it keeps state, remembers events and lines,
// streams them, and lets a test hold a reload for as long as it wants.
type master struct {
	mu        sync.Mutex
	sandboxes []ctl.Sandbox
	events    []ctl.Event
	lines     []ctl.LogLine
	changed   chan struct{}
	following int

	hold    chan struct{} // a reload waits for it, if it is not nil
	entered chan struct{} // gets a value when a reload or action has begun
	stopped int

	programs []ctl.Program
	signals  []string // that were sent: the name and the signal
	upgrade  func(context.Context, ctl.UpgradeRequest) (ctl.UpgradeResult, error)
}

func newMaster() *master {
	return &master{
		sandboxes: []ctl.Sandbox{{Name: "math", State: "serving"}, {Name: "web", State: "serving"}},
		programs: []ctl.Program{
			{Name: "redis", State: "ready", Instances: []ctl.ProgramInstance{{Instance: 1, State: "ready", Pid: 12, History: []ctl.Run{{Generation: 1, Cause: "exit status 3"}}}}},
			{Name: "jobs", State: "fatal"},
		},
		changed: make(chan struct{}),
		entered: make(chan struct{}, 1000),
	}
}

var _ ctl.Master = (*master)(nil)

func (m *master) Info(context.Context) ctl.Info {
	return ctl.Info{Name: "shop", Mode: "multi", State: "running", Pid: 4711}
}

func (m *master) Sandboxes(context.Context) []ctl.Sandbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sandboxes)
}

func (m *master) Workers(_ context.Context, usage bool) []ctl.Worker {
	w := ctl.Worker{Name: "calc", Instance: 1}
	if usage {
		w.Usage = &ctl.Usage{RSS: 1 << 20}
	}
	return []ctl.Worker{w}
}

func (m *master) Inspect(ctx context.Context) ctl.Inspection {
	return ctl.Inspection{Info: m.Info(ctx), Sandboxes: m.Sandboxes(ctx)}
}

func (m *master) Reload(ctx context.Context, r ctl.ReloadRequest) (ctl.ReloadResult, error) {
	select {
	case m.entered <- struct{}{}:
	default: // nobody counts
	}
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return ctl.ReloadResult{}, ctx.Err()
		}
	}
	return ctl.ReloadResult{ID: 1, Outcome: "committed", Plan: r.Names}, nil
}

func (m *master) Start(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.each(r, "serving")
}

func (m *master) Stop(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	if len(r.Names) == 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.stopped++
		return ctl.ActionResult{Cut: []string{"web: 2 requests"}}, nil
	}
	return m.each(r, "stopped")
}

func (m *master) Restart(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	switch r.Names[0] {
	case "stuck":
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrRefused, "cannot restart stuck: its Serve has not returned").
			WithHint("reload the process")
	case "broken":
		panic("a fault in the master")
	}
	return m.each(r, "serving")
}

func (m *master) LogLevel(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.each(r, "serving")
}

func (m *master) each(r ctl.ActionRequest, state string) (ctl.ActionResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var res ctl.ActionResult
	for _, name := range r.Names {
		i := slices.IndexFunc(m.sandboxes, func(sb ctl.Sandbox) bool { return sb.Name == name })
		if i < 0 {
			return res, fmt.Errorf("cannot act on %q: %w", name, ctl.ErrNotFound)
		}
		m.sandboxes[i].State = state
		res.Results = append(res.Results, ctl.Action{Name: name, State: state})
	}
	return res, nil
}

// say appends an event and a log line.
func (m *master) say(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := len(m.events) + 1
	m.events = append(m.events, ctl.Event{ID: uint64(id), Time: time.Now(), Kind: "test", Text: text})
	m.lines = append(m.lines, ctl.LogLine{Offset: int64(id) * 10, Name: "math", Stream: "log", Text: text})
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *master) Events(ctx context.Context, since uint64, emit func(ctl.Event) error) error {
	m.count(1)
	defer m.count(-1)
	for {
		m.mu.Lock()
		fresh, changed := slices.Clone(m.events[min(since, uint64(len(m.events))):]), m.changed
		m.mu.Unlock()
		for _, e := range fresh {
			if err := emit(e); err != nil {
				return err
			}
			since = e.ID
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *master) Logs(ctx context.Context, q ctl.LogQuery, emit func(ctl.LogLine) error) error {
	if slices.Contains(q.Names, "nobody") {
		return ctl.Problemf(ctl.ErrNotFound, "cannot read the log of nobody: there is no such name")
	}
	m.count(1)
	defer m.count(-1)
	m.mu.Lock()
	next := max(0, len(m.lines)-q.Lines)
	if q.After != nil {
		next = int(min(q.After[""]/10, int64(len(m.lines))))
	}
	m.mu.Unlock()
	for {
		m.mu.Lock()
		fresh, changed := slices.Clone(m.lines[next:]), m.changed
		m.mu.Unlock()
		for _, l := range fresh {
			if l.Text == "unreadable" {
				return ctl.Problemf(ctl.ErrBusy, "cannot read on")
			}
			if err := emit(l); err != nil {
				return err
			}
			next++
		}
		if !q.Follow {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (m *master) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.following += n
	close(m.changed)
	m.changed = make(chan struct{})
}

// untilFollowing returns once n followers are there.
func (m *master) untilFollowing(ctx context.Context, n int) error {
	for {
		m.mu.Lock()
		now, changed := m.following, m.changed
		m.mu.Unlock()
		if now == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d followers, want %d: %w", now, n, ctx.Err())
		}
	}
}

func (m *master) Programs(_ context.Context, d ctl.Detail) []ctl.Program {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]ctl.Program, len(m.programs))
	for i, p := range m.programs {
		p.Instances = slices.Clone(p.Instances)
		for j := range p.Instances {
			if !d.History || d.Name != "" && d.Name != p.Name {
				p.Instances[j].History = nil
			}
			if d.Usage && (d.Name == "" || d.Name == p.Name) {
				p.Instances[j].Usage = &ctl.Usage{RSS: 1 << 20}
			}
		}
		list[i] = p
	}
	return list
}

// program finds one by name; the lock is held.
func (m *master) program(name string) (*ctl.Program, error) {
	i := slices.IndexFunc(m.programs, func(p ctl.Program) bool { return p.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("cannot find program %q: %w", name, ctl.ErrNotFound)
	}
	return &m.programs[i], nil
}

func (m *master) Signal(_ context.Context, r ctl.SignalRequest) (res ctl.ActionResult, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range r.Names {
		p, err := m.program(name)
		if err != nil {
			return res, err
		}
		m.signals = append(m.signals, name+" "+r.Signal)
		res.Results = append(res.Results, ctl.Action{Name: name, State: p.State})
	}
	return res, nil
}

func (m *master) Scale(_ context.Context, r ctl.ScaleRequest) (res ctl.ActionResult, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.program(r.Name)
	if err != nil {
		return res, err
	}
	p.Instances = make([]ctl.ProgramInstance, r.Instances)
	for i := range p.Instances {
		p.Instances[i] = ctl.ProgramInstance{Instance: i + 1, State: "ready"}
	}
	return ctl.ActionResult{Results: []ctl.Action{{Name: r.Name, State: p.State}}}, nil
}

func (m *master) Reset(_ context.Context, r ctl.ActionRequest) (res ctl.ActionResult, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range r.Names {
		p, err := m.program(name)
		if err != nil {
			return res, err
		}
		p.State = "ready"
		res.Results = append(res.Results, ctl.Action{Name: name, State: p.State})
	}
	return res, nil
}

func (m *master) Upgrade(ctx context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	if m.upgrade == nil {
		return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrRefused, "cannot upgrade: this master cannot")
	}
	return m.upgrade(ctx, r)
}
