package program

import (
	"errors"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
)

// wish says whether an instance is to run. The latest one counts, whatever is
// under way.
type wish struct {
	up     bool
	later  bool // not wanted from now on, and stopped by a stopNow with the same number
	by     string
	serial uint64
	reply  chan<- outcome // gets one answer; has room for it
}

func (m wish) refuse(err error) { m.reply <- outcome{err: err} }

func (m wish) apply(u *unit) {
	u.wish, u.dirty = m.serial, true
	defer u.around.news()
	defer u.show()
	if m.up {
		u.wantUp(m)
		return
	}
	u.wanted, u.renewing = false, ""
	u.dropWaiters(goalUp, errStoppedMeanwhile)
	u.waiters = append(u.waiters, waiter{goal: goalDown, held: m.later, reply: m.reply})
	if !m.later || !u.state.alive() { // nothing runs that others may need
		u.bringDown(m.by)
	}
}

func (u *unit) wantUp(m wish) {
	u.wanted, u.removed = true, false
	u.dropWaiters(goalDown, errStartedMeanwhile)
	w := waiter{goal: goalUp, from: u.number, reply: m.reply}
	switch {
	case u.state == Stopping:
		u.renewing, w.from = m.by, u.number+1
		if u.last.run != nil {
			u.settle()
		}
	case u.state == Starting:
		u.lookAgain()
	case !u.state.alive():
		w.from = u.number + 1
		u.fresh()
		u.begin(begun, m.by, "")
	}
	u.waiters = append(u.waiters, w)
}

// fresh forgets what failed so far: somebody wants a new beginning.
func (u *unit) fresh() {
	u.policy.count.Reset()
	u.restarts, u.output = 0, nil
}

// bringDown ends what runs.
func (u *unit) bringDown(by string) {
	for i := range u.waiters {
		u.waiters[i].held = false
	}
	u.alarms.clear(backoffOver)
	u.retireSuccessor(by)
	switch u.state {
	case Starting, Ready:
		u.stop(u.run, by, true)
		u.move(ending, by, "")
	case Stopping:
		u.by, u.dirty = by, true
	case Backoff, Exited, Fatal:
		u.move(ending, by, "")
	}
}

// stopNow is the second half of a wish that was to wait for others. It has no
// effect if something else was wished meanwhile.
type stopNow struct {
	by     string
	serial uint64
}

func (m stopNow) apply(u *unit) {
	if u.wish == m.serial && !u.wanted {
		u.bringDown(m.by)
	}
}

// killNow ends the patience with what is being stopped.
type killNow struct{ by string }

func (m killNow) apply(u *unit) {
	for _, r := range append([]*run{u.run, u.next}, u.leaving...) {
		if r != nil && (!u.wanted || r != u.run) {
			u.stop(r, m.by, false)
		}
	}
}

// removal makes the unit leave once nothing of it runs.
type removal struct {
	by    string
	reply chan<- outcome
}

func (m removal) refuse(error) { m.reply <- outcome{state: Stopped} }

func (m removal) apply(u *unit) {
	u.removed = true
	wish{by: m.by, reply: m.reply, serial: u.wish}.apply(u)
}

// settings are those of a changed configuration that need no new process.
type settings struct{ def *config.Program }

func (m settings) apply(u *unit) {
	u.def = m.def
	u.policy.set(m.def.Keep)
	u.limit(u.run, CgroupLimits(&m.def.Process))
	u.limit(u.next, CgroupLimits(&m.def.Process))
	if u.state == Ready {
		u.attend()
	}
}

// reset forgets failures, so that what was given up, or waits for a restart, is
// started: it is wanted, or it would be stopped.
type reset struct {
	by    string
	reply chan<- outcome
}

func (m reset) refuse(err error) { m.reply <- outcome{err: err} }

func (m reset) apply(u *unit) {
	u.fresh()
	u.dirty = true
	if u.state == Fatal || u.state == Backoff {
		u.begin(begun, m.by, "")
	}
	m.reply <- outcome{state: u.state}
}

// sending is a signal for the main process.
type sending struct {
	signal syscall.Signal
	reply  chan<- outcome
}

func (m sending) refuse(err error) { m.reply <- outcome{err: err} }

func (m sending) apply(u *unit) {
	o := outcome{state: u.state}
	if u.run == nil || u.run.child == nil || u.run.over {
		o.err = errNoProcess
	} else {
		o.err = u.run.child.Signal(m.signal)
	}
	m.reply <- o
}

var (
	errStoppedMeanwhile = errors.New("somebody has stopped it meanwhile")
	errStartedMeanwhile = errors.New("somebody has started it again meanwhile")
	errNoProcess        = errors.New("it has no process")
)

// launched tells of a run's process, or why it has none.
type launched struct {
	run   *run
	child child
	err   error
}

// refuse ends a process that nobody keeps.
func (m launched) refuse(error) {
	if m.child != nil {
		m.run.unit.around.errand("stop of "+m.run.String(), func() { m.child.Stop(canceled(), nil) })
	}
}

func (m launched) apply(u *unit) {
	r := m.run
	if m.err != nil {
		u.failedToStart(r, m.err)
		return
	}
	u.homes[r.place] = r.home
	r.child, r.pid, r.began, u.dirty = m.child, m.child.Main(), m.child.Started(), true
	switch {
	case r != u.run && r != u.next: // it was abandoned before it had a process
		u.escort(r, false)
		return
	case r.ctx.Err() != nil: // likewise, and the unit waits for its end
		u.stop(r, r.endedBy, false)
		return
	}
	if r == u.run && r.began.Before(r.notBefore) { // a restart was asked for in between
		u.renewing = u.by
		u.stop(r, u.by, true)
		u.move(ending, u.by, "")
		return
	}
	u.around.watch(r)
	if r.early || atOnce(r.def) {
		isReady{run: r}.apply(u)
		return
	}
	u.alarms.in(startOver, u.startTimeout(r))
}

// atOnce tells whether a start is done when there is a process.
func atOnce(def *config.Program) bool {
	return def.Ready.Kind == config.ProbeStarted || def.Ready.Kind == ""
}

func (u *unit) startTimeout(r *run) time.Duration {
	if r.def.StartTimeout > 0 {
		return r.def.StartTimeout
	}
	return u.around.limits().Ready
}
