package program

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
)

// attend begins to look after the run that serves: its age, its heartbeat, its
// health, its memory.
func (u *unit) attend() {
	r, def := u.run, u.settingsFor(u.run)
	u.leaveAlone()
	u.alarms.clear(watchdogOver, tooOld)
	if r.heartbeat == 0 {
		r.heartbeat = def.Watchdog
	}
	if def.Watchdog > 0 {
		u.alarms.in(watchdogOver, r.heartbeat)
	}
	if d := def.Recycle.MaxAge; d > 0 {
		u.alarms.set(tooOld, r.began.Add(shorten(d, def.Recycle.Jitter)))
	}
	if needsAttendance(def) {
		var ctx context.Context
		ctx, u.unattend = context.WithCancel(r.ctx)
		u.around.attend(ctx, r, def)
	}
}

// leaveAlone ends that.
func (u *unit) leaveAlone() {
	if u.unattend != nil {
		u.unattend()
		u.unattend = nil
	}
}

func needsAttendance(def *config.Program) bool {
	return probed(def.Live.Probe.Kind) || def.Recycle.MaxRSS > 0 || def.Process.MemoryHigh > 0
}

// attend implements surroundings.
func (p *program) attend(ctx context.Context, r *run, def *config.Program) {
	if probed(def.Live.Probe.Kind) {
		p.errand("liveness of "+r.String(), func() { p.watchLife(ctx, r, def) })
	}
	if def.Recycle.MaxRSS > 0 {
		pid := r.pid
		p.errand("memory of "+r.String(), func() { p.watchRSS(ctx, r, def, pid) })
	}
	if def.Process.MemoryHigh > 0 && r.home.group != nil {
		p.errand("memory of "+r.String(), func() { p.watchHigh(ctx, r) })
	}
}

// probed tells whether a kind of probe asks.
func probed(k config.ProbeKind) bool {
	switch k {
	case config.ProbeTCP, config.ProbeUnix, config.ProbeHTTP, config.ProbeExec:
		return true
	}
	return false
}

func (p *program) prober(r *run, def *config.Program, pr config.Probe, timeout time.Duration) (probe.Prober, error) {
	return probe.New(probe.Check{
		Kind: probe.Kind(pr.Kind), Address: pr.Address, Command: pr.Command, Timeout: timeout,
		Runner: runner{program: p, run: r, def: def},
	})
}

// watchLife asks whether a program is well until it is not, so many times in a row.
// What was done about that takes effect on another run.
func (p *program) watchLife(ctx context.Context, r *run, def *config.Program) {
	live := def.Live
	prober, err := p.prober(r, def, live.Probe, live.Timeout)
	if err != nil {
		p.warn(r, err.Error())
		return
	}
	ticker := time.NewTicker(max(live.Interval, time.Millisecond))
	defer ticker.Stop()
	grace := time.Now().Add(live.Grace)
	for failures := 0; ; {
		if await(ctx, ticker.C) != nil {
			return
		}
		err := prober.Ask(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			continue
		case time.Now().Before(grace):
			continue
		}
		if failures++; failures >= max(live.Failures, 1) {
			r.unit.tell(isUnwell{run: r, why: fmt.Sprintf("%d probes failed: %v", failures, err), action: live.Action})
			failures = 0
		}
	}
}

// rssInterval is how often the memory of a process is looked at. There is nothing
// that tells of it.
const rssInterval = 10 * time.Second

func (p *program) watchRSS(ctx context.Context, r *run, def *config.Program, pid int) {
	limit := int64(shorten(time.Duration(def.Recycle.MaxRSS), def.Recycle.Jitter))
	ticker := time.NewTicker(rssInterval)
	defer ticker.Stop()
	for await(ctx, ticker.C) == nil {
		if used := rssOf(pid); used > limit {
			r.unit.tell(isSpent{run: r, why: fmt.Sprintf("it uses %d MiB of memory", used>>20)})
		}
	}
}

// rssOf is what a process has in memory, in bytes; 0 if that is not known.
func rssOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// highPause is how long to wait before a program that uses too much memory is asked
// again to make room: the last time may have failed.
const highPause = 10 * time.Second

func (p *program) watchHigh(ctx context.Context, r *run) {
	ticker := time.NewTicker(highPause)
	defer ticker.Stop()
	for {
		if err := r.home.group.High(ctx); ctx.Err() != nil {
			return
		} else if err != nil {
			p.warn(r, err.Error())
			return
		}
		r.unit.tell(isSpent{run: r, why: "it has come to memory_high"})
		if await(ctx, ticker.C) != nil {
			return
		}
	}
}

// isSpent says that a run is to be recycled.
type isSpent struct {
	run *run
	why string
}

func (m isSpent) apply(u *unit) {
	if m.run == u.run {
		u.recycle(m.why)
	}
}
