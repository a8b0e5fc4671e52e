package program

import (
	"context"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
)

// notice is what a run said on the notify socket.
type notice struct {
	run *run
	probe.Notice
	err error // why another main process is not followed
}

func (m notice) apply(u *unit) {
	r := m.run
	if r.over {
		return
	}
	u.dirty = true
	if m.MainPid != 0 && r.child != nil {
		r.pid = r.child.Main()
		if r == u.run && u.state == Ready {
			u.attend()
		}
	}
	u.heed(m)
	if r == u.run {
		u.note(m)
	}
	if m.Ready {
		isReady{run: r}.apply(u)
	}
	if m.Sick {
		u.unwell(r, byWatchdog, "it says that it is not well", config.ReloadRestart)
	}
}

// heed does what a notice asks for.
func (u *unit) heed(m notice) {
	r := m.run
	if m.Errno != 0 {
		r.errno = m.Errno
	}
	if m.Watchdog > 0 {
		r.heartbeat = m.Watchdog
	}
	if r == u.run && (m.Alive || m.Watchdog > 0) && !u.alarms.at[watchdogOver].IsZero() {
		u.alarms.in(watchdogOver, r.heartbeat)
	}
	if over := time.Now().Add(m.Extend); m.Extend > 0 && !r.ready && over.After(u.alarms.at[startOver]) &&
		!u.alarms.at[startOver].IsZero() {
		u.alarms.set(startOver, over)
	}
	wrong := m.Wrong
	if m.err != nil {
		wrong = append(wrong, m.err.Error())
	}
	// A program that says it all the time is told once.
	if len(wrong) > 0 && !r.wrong {
		r.wrong = true
		for _, w := range wrong {
			u.around.publish(Warned{Place: u.place(r), Text: w})
		}
	}
}

// note keeps what a program tells of itself.
func (u *unit) note(m notice) {
	switch {
	case m.Stopping:
		u.reason = "it says that it stops"
	case m.Reloading && !m.Ready:
		u.reason = "it says that it reloads"
	case m.Ready && u.state == Ready:
		u.reason = ""
	}
	if m.HasStatus && m.Status != u.says {
		u.says = m.Status
		u.show()
		u.around.publish(Said{Place: u.place(m.run), Text: m.Status})
	}
}

// hearing makes a run heard on the notify socket once it has a process.
type hearing struct {
	run   *run
	hub   *probe.Hub
	child child         // set before ready is closed
	ready chan struct{} // closed when the hub knows the process, or there is none
}

func (p *program) listen(r *run) *hearing {
	hub := p.set.hub.Load()
	if hub == nil {
		return nil
	}
	return &hearing{run: r, hub: hub, ready: make(chan struct{})}
}

// begin is called when there is a process, or, with nil, none.
func (h *hearing) begin(c child) {
	if h == nil {
		return
	}
	defer close(h.ready)
	if h.child = c; c == nil {
		return
	}
	def := h.run.def
	h.run.member = h.hub.Add(probe.Source{
		Pid: c.Pid(), Invocation: c.Invocation(), Handle: h.handle,
		Grouped: h.run.home.group != nil && (def.Ready.Kind == config.ProbeNotify || def.Watchdog > 0),
	})
}

// handle follows another main process at once: the one that names it may be about
// to exit.
func (h *hearing) handle(n probe.Notice) {
	h.run.speaks.Store(true)
	var err error
	if n.MainPid != 0 {
		err = h.child.Follow(n.MainPid)
	}
	h.run.unit.tell(notice{run: h.run, Notice: n, err: err})
}

// drainLimit is how long the end of a process waits for what it said last.
const drainLimit = time.Second

// expiring hears what a process has said last. For programs that say nothing this
// costs nothing.
func (h *hearing) expiring(*supervise.Process) {
	<-h.ready
	if h.child == nil || !h.run.speaks.Load() && h.run.def.Ready.Kind != config.ProbeNotify {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	_ = h.hub.Drain(ctx) // then it has said nothing that we could hear
}
