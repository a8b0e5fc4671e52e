package cli_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/ctl"
)

// master keeps a small instance: sandboxes that can be started and stopped, a
// log, events, and reloads that end as their binary's name says.
type master struct {
	name string
	born time.Time

	mu        sync.Mutex
	sandboxes []ctl.Sandbox
	events    []ctl.Event
	lines     []ctl.LogLine
	reloads   ctl.Reloads
	changed   chan struct{}
	following int
	asked     []ctl.ReloadRequest
	build     ctl.Build
	programs  []ctl.Program
	sent      []string // signals: the name and the signal
	upgrades  []ctl.UpgradeRequest
	outcome   string // of upgrades

	stopping chan struct{} // closed by a stop of all
	stop     sync.Once
	release  chan struct{} // reloads from "slow" wait for it
}

// clock is when all that the golden files show with a date has happened.
var clock = time.Date(2030, 1, 2, 15, 4, 5, 678e6, time.Local)

func newMaster(name string) *master {
	now := time.Now()
	m := &master{
		// Ages from an hour on are told in minutes, of which this is amid one.
		name: name, born: now.Add(-2*time.Hour - 13*time.Minute - 30*time.Second),
		changed: make(chan struct{}), stopping: make(chan struct{}), release: make(chan struct{}),
		outcome: "committed",
		build:   ctl.Build{ID: "0123456789abcdef0123", Path: "/bin/sh", Module: "example.com/shop", Go: "go1.26.0"},
	}
	m.sandboxes = []ctl.Sandbox{
		{Name: "math", State: "serving", Worker: "calc", Level: "info", Since: m.born, Listen: []string{"tcp://127.0.0.1:9091", "unix:///run/math.sock"},
			Instances: []ctl.Place{{Instance: 1, Pid: 101, Generation: 3, State: "serving"}, {Instance: 2, Pid: 102, Generation: 3, State: "serving"}}},
		{Name: "web", State: "serving", Worker: "web", Level: "info", Since: m.born, Listen: []string{"tcp://127.0.0.1:8080"}, Restarts: 2,
			Instances: []ctl.Place{{Instance: 1, Pid: 103, Generation: 3, State: "serving"}}},
		{Name: "mailer", State: "failed", Worker: "mail", Level: "debug", Since: m.born.Add(time.Hour), Restarts: 7, Error: "cannot reach mail.example.com: connection refused"},
	}
	m.say("sandbox_state", "math", "math is serving")
	m.say("sandbox_state", "web", "web is serving")
	return m
}

var _ ctl.Master = (*master)(nil)

func (m *master) say(kind, name, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.events) + 1
	m.events = append(m.events, ctl.Event{ID: uint64(n), Time: clock, Kind: kind, Name: name, Text: text})
	m.lines = append(m.lines, ctl.LogLine{Offset: int64(n), Time: clock, Name: name, Stream: "log", Text: "INFO " + text})
	m.announce()
}

func (m *master) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *master) Info(context.Context) ctl.Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ctl.Info{Name: m.name, Mode: "multi", State: "running", Pid: 100, Build: m.build, Started: m.born, Generation: 3,
		ConfigFile: "/etc/shop/dserver.toml", RuntimeDir: "/run/dserver/shop", LogFile: "/var/log/dserver/shop/shop.log", Reloads: m.reloads}
}

func (m *master) Sandboxes(context.Context) []ctl.Sandbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sandboxes)
}

func (m *master) Workers(_ context.Context, usage bool) []ctl.Worker {
	list := []ctl.Worker{
		{Name: "calc", Instance: 1, Generation: 3, State: "serving", Pid: 101, Build: m.build.ID, Started: m.born, Sandboxes: []string{"math"}},
		{Name: "calc", Instance: 2, Generation: 3, State: "serving", Pid: 102, Build: m.build.ID, Started: m.born, Sandboxes: []string{"math"}},
		{Name: "web", Instance: 1, Generation: 3, State: "serving", Pid: 103, Build: m.build.ID, Started: m.born, Restarts: 2, Sandboxes: []string{"web"}},
		{Name: "mail", Instance: 1, Generation: 3, State: "backoff", Build: m.build.ID, Restarts: 7, Sandboxes: []string{"mailer"}, Error: "exit status 3"},
	}
	for i := range list[:3] {
		if usage {
			list[i].Usage = &ctl.Usage{RSS: uint64(i+1) * 12_345_678, CPU: 1.25, Files: 9, Threads: 8}
		}
	}
	return list
}

func (m *master) Inspect(ctx context.Context) ctl.Inspection {
	return ctl.Inspection{
		Info: m.Info(ctx), Sandboxes: m.Sandboxes(ctx), Workers: m.Workers(ctx, false), Programs: m.Programs(ctx, ctl.Detail{Usage: true}),
		Sockets: []ctl.Socket{{Sandbox: "math", Name: "0", Address: "tcp://127.0.0.1:9091"}, {Sandbox: "web", Name: "web", Address: "tcp://127.0.0.1:8080"}},
		Runtime: ctl.Runtime{Goroutines: 21, Files: 1, Heap: 3 << 20, RSS: 20 << 20},
	}
}

func (m *master) Reload(ctx context.Context, r ctl.ReloadRequest) (ctl.ReloadResult, error) {
	m.mu.Lock()
	m.asked = append(m.asked, r)
	id := len(m.asked)
	m.mu.Unlock()
	if err := m.haveAll(r.Names); err != nil {
		return ctl.ReloadResult{}, err
	}
	res := ctl.ReloadResult{ID: id, Outcome: "committed", Build: ctl.Build{ID: "fedcba9876543210"}, Ready: 38 * time.Millisecond, Took: 1040 * time.Millisecond}
	switch {
	case slices.Equal(r.Names, []string{"mailer"}):
		res.Outcome, res.Error = "rolled_back", "worker mail ended with exit status 3 before it was ready"
		res.Output = []string{"panic: no mail today", "", "goroutine 1 [running]:"}
	case slices.Equal(r.Names, []string{"web"}):
		select {
		case <-m.release:
			res.Superseded, res.Queued = true, true
		case <-ctx.Done():
			return res, ctx.Err()
		}
	case r.DryRun:
		res.Outcome, res.Plan = "planned", []string{"sandbox math: listen tcp://127.0.0.1:9091 -> tcp://127.0.0.1:9092", "worker calc: 2 instances -> 4"}
	default:
		res.Remarks = []string{"the master still runs build 0123456789ab"}
	}
	return res, nil
}

func (m *master) haveAll(names []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if _, err := m.program(name); err == nil {
			continue
		}
		if _, err := m.index(name); err != nil {
			return err
		}
	}
	return nil
}

func (m *master) index(name string) (int, error) {
	i := slices.IndexFunc(m.sandboxes, func(sb ctl.Sandbox) bool { return sb.Name == name })
	if i < 0 {
		return 0, ctl.Problemf(ctl.ErrNotFound, "there is no sandbox %q", name).WithHint("sandboxes: math, web, mailer")
	}
	return i, nil
}

func (m *master) to(r ctl.ActionRequest, state string) (ctl.ActionResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var res ctl.ActionResult
	for _, name := range r.Names {
		if p, err := m.program(name); err == nil {
			if p.Wanted = state != "stopped"; p.Wanted {
				m.move(p, "ready")
			} else {
				m.move(p, "stopped")
			}
			res.Results = append(res.Results, ctl.Action{Name: name, State: p.State})
			continue
		}
		i, err := m.index(name)
		if err != nil {
			return res, err
		}
		a := ctl.Action{Name: name}
		if name == "mailer" && state == "serving" {
			a.State, a.Error = "failed", "cannot reach mail.example.com: connection refused"
		} else {
			m.sandboxes[i].State, m.sandboxes[i].Since = state, m.born.Add(time.Hour)
			a.State = state
		}
		res.Results = append(res.Results, a)
	}
	return res, nil
}

func (m *master) Start(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.to(r, "serving")
}

func (m *master) Restart(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.to(r, "serving")
}

func (m *master) LogLevel(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.to(r, "serving")
}

func (m *master) Stop(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	if len(r.Names) > 0 {
		return m.to(r, "stopped")
	}
	m.stop.Do(func() { close(m.stopping) })
	cut := []string{"web: 2 requests at the stop time limit"}
	if r.Drain {
		cut = nil
	}
	return ctl.ActionResult{Results: []ctl.Action{{Name: m.name, State: "stopped"}}, Cut: cut}, nil
}

func (m *master) Events(ctx context.Context, since uint64, emit func(ctl.Event) error) error {
	return m.watch(ctx, int(since), true, func(i int) error { return emit(m.events[i]) })
}

func (m *master) Logs(ctx context.Context, q ctl.LogQuery, emit func(ctl.LogLine) error) error {
	if slices.Contains(q.Names, "nobody") {
		return ctl.Problemf(ctl.ErrNotFound, "there is no %q that logs; there are: master, math, web", "nobody")
	}
	match, err := q.Pattern()
	if err != nil {
		return err
	}
	m.mu.Lock()
	next := max(0, len(m.lines)-q.Lines)
	if q.Lines < 0 {
		next = 0
	}
	m.mu.Unlock()
	if q.After != nil {
		next = int(q.After[""])
	}
	return m.watch(ctx, next, q.Follow, func(i int) error {
		l := m.lines[i]
		switch {
		case len(q.Names) > 0 && !slices.Contains(q.Names, l.Name), q.Stream != "" && q.Stream != l.Stream,
			match != nil && !match.MatchString(l.Text), l.Time.Before(q.Since), !q.Until.IsZero() && !l.Time.Before(q.Until):
			return nil
		}
		return emit(l)
	})
}

func (m *master) watch(ctx context.Context, next int, follow bool, emit func(int) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.following++
	m.announce()
	defer func() { m.following--; m.announce() }()
	for {
		for ; next < len(m.events); next++ {
			if err := emit(next); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		m.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
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
