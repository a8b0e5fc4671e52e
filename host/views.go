package host

import (
	"context"
	"os"
	"runtime"

	"github.com/shirou/gopsutil/v3/process"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/sandbox"
)

// Info implements ctl.Viewer.
func (m *master) Info(context.Context) ctl.Info {
	m.mu.Lock()
	p, state, counts, commits := m.plan, m.state, m.counts, m.commits
	m.mu.Unlock()
	counts.Cut += len(m.fleet.cuts())
	info := ctl.Info{
		Name: p.config.Name, Mode: string(p.config.Mode), State: state, Pid: os.Getpid(), Build: m.own.record(),
		Started: m.started, Generation: commits, RuntimeDir: m.dir.Path, LogFile: logPath(m.dir), Reloads: counts,
	}
	if len(p.config.Files) > 0 {
		info.ConfigFile = p.config.Files[0]
	}
	return info
}

// Sandboxes implements ctl.Viewer, in start order.
func (m *master) Sandboxes(context.Context) []ctl.Sandbox {
	p := m.currentPlan()
	out := make([]ctl.Sandbox, 0, len(p.config.Sandboxes))
	for _, name := range p.names() {
		out = append(out, m.sandbox(name))
	}
	return out
}

// sandbox tells about one sandbox over all its processes: the state is that of
// the first instance which is not well, or of the first.
func (m *master) sandbox(name string) ctl.Sandbox {
	p := m.currentPlan()
	worker, _ := p.workerOf(name)
	box, _ := p.config.Sandbox(name)
	out := ctl.Sandbox{Name: name, Worker: worker, Listen: m.sockets.addresses(name), State: string(sandbox.Stopped), Level: p.sandbox(box).Level}
	for _, g := range m.runningIn(worker) {
		status, ok := statusIn(g, name)
		if !ok {
			continue
		}
		place := ctl.Place{Instance: g.work.Instance, Pid: g.place().Pid, Generation: g.number, State: string(status.State), Error: status.Error}
		if len(out.Instances) == 0 || out.State == string(sandbox.Ready) {
			out.State, out.Since, out.Error = place.State, status.Since, place.Error
		}
		out.Restarts += status.Restarts
		out.Instances = append(out.Instances, place)
	}
	return out
}

// runningIn gives the generations of a worker, by instance: those that serve, or
// before the first start is done those that are to, and at the end those that
// drain.
func (m *master) runningIn(worker string) []*generation {
	var out []*generation
	for _, s := range m.fleet.all() {
		if g, _, _ := s.watched(); g != nil && s.worker == worker {
			out = append(out, g)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, e := range m.fleet.arriving() {
		if e.slot.worker == worker {
			out = append(out, e.gen)
		}
	}
	for _, r := range m.fleet.leaving() {
		if r.slot.worker == worker && m.isStopping() {
			out = append(out, r.gen)
		}
	}
	return out
}

func statusIn(g *generation, name string) (sandbox.Status, bool) {
	state, boxes := g.snapshot()
	for _, b := range boxes {
		if b.Name == name {
			if state == Gone {
				b.State, b.Error = sandbox.Backoff, g.exit().Cause
			}
			return b, true
		}
	}
	return sandbox.Status{}, false
}

// Workers implements ctl.Viewer: the serving generation of each slot, then those
// that drain.
func (m *master) Workers(_ context.Context, usage bool) []ctl.Worker {
	out := []ctl.Worker{}
	for _, s := range m.fleet.all() {
		out = append(out, s.record())
	}
	for _, e := range m.fleet.arriving() {
		if state, _ := e.gen.snapshot(); state < Serving {
			out = append(out, e.gen.record())
		}
	}
	for _, r := range m.fleet.leaving() {
		out = append(out, r.gen.record())
	}
	if usage {
		for i := range out {
			out[i].Usage = usageOf(out[i].Pid)
		}
	}
	return out
}

func (g *generation) record() ctl.Worker {
	at := g.place()
	state, boxes := g.snapshot()
	w := ctl.Worker{
		Name: at.Worker, Instance: at.Instance, Generation: at.Generation, State: state.String(), Pid: at.Pid,
		Build: g.work.Build.id(), Started: g.started, Sandboxes: make([]string, len(boxes)),
	}
	for i, b := range boxes {
		w.Sandboxes[i] = b.Name
	}
	return w
}

// record tells about the slot's current generation.
func (s *slot) record() ctl.Worker {
	s.mu.Lock()
	g, restarts, lost, waiting, ended, given := s.current, s.restarts, s.lost, s.waiting, s.ended, s.given
	s.mu.Unlock()
	w := g.record()
	w.Restarts, w.Error = restarts, lost
	if waiting {
		w.State, w.Pid = string(sandbox.Backoff), 0
	}
	if ended {
		w.State, w.Pid = string(program.Exited), 0
		if given.Fatal != "" {
			w.State, w.Error = string(program.Fatal), given.Fatal
		}
	}
	return w
}

// usageOf asks the kernel; nil if the process has just gone.
func usageOf(pid int) *ctl.Usage {
	// Made by NewProcess it would leave a descriptor behind until the next collection
	// of garbage.
	p := &process.Process{Pid: int32(pid)}
	memory, err := p.MemoryInfo()
	if err != nil {
		return nil
	}
	u := &ctl.Usage{RSS: memory.RSS}
	// What cannot be read because the process ends meanwhile stays zero.
	u.CPU, _ = p.CPUPercent()
	u.Files, _ = p.NumFDs()
	u.Threads, _ = p.NumThreads()
	return u
}

// Inspect implements ctl.Viewer.
func (m *master) Inspect(ctx context.Context) ctl.Inspection {
	in := ctl.Inspection{
		Info: m.Info(ctx), Sandboxes: m.Sandboxes(ctx), Workers: m.Workers(ctx, true), Programs: m.Programs(ctx, ctl.Detail{Usage: true}), Sockets: []ctl.Socket{},
		Runtime: ctl.Runtime{Goroutines: runtime.NumGoroutine(), Files: openFiles()},
	}
	for _, h := range m.sockets.list() {
		in.Sockets = append(in.Sockets, ctl.Socket{Sandbox: h.Sandbox, Name: h.Listen.Name, Address: h.socket.String()})
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	in.Runtime.Heap = memory.HeapAlloc
	if u := usageOf(os.Getpid()); u != nil {
		in.Runtime.RSS = u.RSS
	}
	return in
}

// openFiles counts the descriptors of this process, without the one that the
// count itself needs.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries) - 1
}

// Events implements ctl.Watcher.
func (m *master) Events(ctx context.Context, since uint64, emit func(ctl.Event) error) error {
	return m.events.follow(ctx, since, emit)
}
