package program

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// failedToStart is about a run that never had a process.
func (u *unit) failedToStart(r *run, err error) {
	now := time.Now()
	exit := supervise.Exit{Code: -1, Started: now, Ended: now}
	wanted := r.endedBy == ""
	r.over, r.cause = true, err.Error()
	u.homes[r.place] = r.home
	if wanted {
		r.why = r.cause
		u.record(r, exit, nil)
	}
	switch r {
	case u.run:
		concluded{run: r, exit: exit}.apply(u)
	case u.next:
		u.next = nil
		u.lostSuccessor(r, nil)
	default:
		u.depart(r)
	}
}

// ended is about a process whose end has just been seen.
func (u *unit) ended(r *run) {
	exit, output := r.child.Exit(), r.child.Tail()
	r.over, r.cause = true, causeOf(r, exit)
	r.cancel(errEnded)
	r.unheard()
	u.record(r, exit, output)
	if r == u.next {
		u.next = nil
		u.leaving = append(u.leaving, r)
		u.seeOff(r)
		u.lostSuccessor(r, output)
		return
	}
	u.alarms.clear(startOver, settled, probationOver, watchdogOver, tooOld)
	u.leaveAlone()
	def := u.settingsFor(r)
	if len(def.PostStop) == 0 {
		concluded{run: r, exit: exit, output: output}.apply(u)
		return
	}
	if u.state != Stopping {
		u.move(cleanup, "", r.cause)
	}
	u.around.errand("post_stop of "+r.String(), func() {
		u.around.afterwards(r, def)
		u.tell(concluded{run: r, exit: exit, output: output})
	})
}

// causeOf tells why a process has ended.
func causeOf(r *run, exit supervise.Exit) string {
	text := exit.String()
	if !exit.Success() && r.def.Process.Memory > 0 {
		if kills, err := r.home.group.OOMKills(); err == nil && kills > r.kills {
			text += " (out of memory)"
		}
	}
	if r.errno != 0 && !exit.Success() {
		text += fmt.Sprintf(" (it says: %v)", syscall.Errno(r.errno))
	}
	if r.why != "" {
		text = r.why + "; " + text
	}
	return text
}

func (u *unit) record(r *run, exit supervise.Exit, output []string) {
	done := runOf(r, exit, r.cause)
	u.history, u.dirty = remember(u.history, done), true
	u.show() // who hears of it may look
	e := Ended{Place: u.place(r), Run: done}
	if r.endedBy == "" && !expected(r.def.Keep, exit) {
		e.Output = output
	}
	u.around.publish(e)
}

// concluded says that what follows the end of a run is over as well.
type concluded struct {
	run    *run
	exit   supervise.Exit
	output []string
}

func (m concluded) apply(u *unit) {
	u.run, u.last = nil, m
	u.settle()
}

// settle decides what follows a run of which nothing is left.
func (u *unit) settle() {
	m := u.last
	if !u.wanted {
		u.retireSuccessor(u.by)
	}
	switch {
	case u.wanted && u.next != nil:
		u.promote()
	case !u.wanted && len(u.leaving) > 0:
		// Stopped means that nothing is left. When that is so we come back.
		if u.state != Stopping {
			u.move(cleanup, u.by, "")
		}
		return
	case !u.wanted:
		u.move(gone, u.by, "")
	case u.renewing != "":
		by := u.renewing
		u.renewing = ""
		u.begin(again, by, "")
	default:
		u.judge(m.run, m.exit, m.output)
	}
	u.last = concluded{}
}

// judge asks the policy what follows a run that ended by itself, or was ended
// because it was not well.
func (u *unit) judge(r *run, exit supervise.Exit, output []string) {
	v := u.policy.next(supervise.Run{Started: r.began, Ended: exit.Ended, Exit: exit, Failed: r.pid == 0 || r.why != ""})
	if v.on != finish {
		defer u.failWaiters(r, &StartError{Place: u.place(r), Cause: r.cause}, output)
	}
	switch v.on {
	case again:
		u.restarts++
		u.begin(again, v.by, r.cause)
	case delay:
		u.restarts++
		u.alarms.in(backoffOver, v.after)
		u.move(delay, v.by, r.cause)
	case finish:
		u.move(finish, v.by, r.cause)
		u.around.over(exit)
	case giveUp:
		cause := r.cause
		if v.reason != "" {
			cause += "; " + v.reason
		}
		u.output = slices.Clone(output)
		u.move(giveUp, v.by, cause)
		def := u.settingsFor(r)
		u.around.errand("on_fatal of "+r.String(), func() { u.around.givenUp(r, def, cause, output) })
		u.around.over(exit)
	}
}

// begin starts the next run from what is configured now.
func (u *unit) begin(on occurrence, by, reason string) {
	u.alarms.clear(backoffOver)
	u.run = u.launch(false, u.def)
	u.move(on, by, reason)
}

// ring does what is due.
func (u *unit) ring(now time.Time) {
	for {
		which, ok := u.alarms.due(now)
		if !ok {
			return
		}
		u.dirty = true
		switch which {
		case backoffOver:
			u.begin(begun, byPolicy, u.reason)
		case startOver:
			u.tooSlow()
		case probationOver:
			u.takeOver()
		case watchdogOver:
			u.unwell(u.run, byWatchdog, fmt.Sprintf("no WATCHDOG=1 for %v", u.run.heartbeat), config.ReloadRestart)
		case tooOld:
			u.recycle("age")
		case settled: // those who wait for it are answered afterwards
		}
	}
}

// tooSlow ends a start that took too long.
func (u *unit) tooSlow() {
	r := u.run
	if u.next != nil {
		r = u.next
	}
	why := fmt.Sprintf("not ready within %v", u.startTimeout(r))
	if last := r.answer.Load(); last != nil {
		why += ": " + *last
	}
	if r == u.next {
		r.why = why
		u.stop(r, byLimit, false)
		return
	}
	u.unwell(r, byLimit, why, config.ReloadRestart)
}

// unwell does what is configured about a run that is not well.
func (u *unit) unwell(r *run, by, why string, action config.Reload) {
	if r != u.run || u.state != Starting && u.state != Ready {
		return
	}
	if action == config.ReloadRestart {
		r.why = why
		u.stop(r, by, true)
		u.move(ending, by, why)
		return
	}
	if !u.caring {
		u.caring = true
		u.around.nurse(u, by, why, action)
	}
}

// recycle asks for a new process in place of one that is well.
func (u *unit) recycle(why string) {
	if !u.caring && u.state == Ready {
		u.caring = true
		u.around.recycle(u, why)
	}
}

// Who may have asked for something, besides those who give commands.
const (
	byPolicy   = "policy"
	byLimit    = "limit"
	byWatchdog = "watchdog"
	byProbe    = "probe"
	byRecycle  = "recycle"
	byRollBack = "roll back"
)
