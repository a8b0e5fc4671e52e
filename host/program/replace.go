package program

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
)

// renewal is a new process in place of the one there is, which must be one that
// began before a certain time: a later one is new already.
type renewal struct {
	def    *config.Program // what runs from now on, if it works out
	how    config.Reload   // replace or restart
	before time.Time
	by     string
	anew   bool           // somebody asked for it: former failures do not count
	reply  chan<- outcome // gets one answer; has room for it
}

func (m renewal) refuse(err error) { m.reply <- outcome{err: err} }

func (m renewal) apply(u *unit) {
	switch {
	case !u.wanted:
		m.reply <- outcome{state: u.state, err: errStoppedMeanwhile}
	case m.how == config.ReloadReplace && u.state == Ready && u.isOlder(m):
		u.replace(m)
	default:
		u.restart(m)
	}
}

// isOlder tells whether what runs is not what is asked for.
func (u *unit) isOlder(m renewal) bool {
	return u.run.began.Before(m.before) || needsProcess(u.run.def, m.def)
}

// restart ends what runs, so that a new process begins when it has gone.
func (u *unit) restart(m renewal) {
	u.def = m.def
	u.policy.set(m.def.Keep)
	w := waiter{goal: goalUp, from: u.number + 1, reply: m.reply}
	switch u.state {
	case Stopping:
		u.renewing = m.by
		if u.last.run != nil {
			u.settle()
		}
	case Starting, Ready:
		if u.joins(m) {
			w.from = u.run.number
			break
		}
		u.retireSuccessor(m.by)
		w.from = u.number + 1
		u.renewing = m.by
		u.dropWaiters(goalUp, errRestartedMeanwhile)
		if m.anew {
			u.fresh()
		}
		u.stop(u.run, m.by, true)
		u.move(ending, m.by, "")
	default:
		u.fresh()
		u.begin(begun, m.by, "")
	}
	u.waiters = append(u.waiters, w)
}

// joins tells whether what is being started, or what runs, is what a restart asks
// for.
func (u *unit) joins(m renewal) bool {
	switch {
	case needsProcess(u.run.def, m.def):
		return false
	case u.run.child != nil:
		return !u.run.began.Before(m.before)
	}
	// It has no process yet, or one that we have not heard of.
	u.run.notBefore = m.before
	u.lookAgain()
	return true
}

var (
	errRestartedMeanwhile = errors.New("somebody has restarted it meanwhile")
	errBusy               = errors.New("it is being replaced already, or too many that it replaced have not ended")
)

// replace starts a successor beside what runs.
func (u *unit) replace(m renewal) {
	if u.next != nil || len(u.leaving) >= maxPlaces-2 {
		m.reply <- outcome{state: u.state, err: errBusy}
		return
	}
	u.next = u.launch(true, m.def)
	u.next.replacedBy = m.by
	u.waiters = append(u.waiters, waiter{goal: goalReplaced, from: u.next.number, reply: m.reply})
}

// takeOver makes a successor that has stood its probation the one that counts.
func (u *unit) takeOver() {
	if u.state != Ready { // it is on its way out, and the successor goes on after it
		return
	}
	old := u.run
	u.run, u.next = u.next, nil
	u.adopt(u.run)
	u.reason, u.by, u.since, u.dirty = "", u.run.replacedBy, time.Now(), true
	u.show()
	u.around.publish(Replaced{Place: u.place(u.run), Old: u.place(old), By: u.by})
	u.retire(old, u.by, true)
}

// adopt makes a run's definition that of the unit, and watches its age.
func (u *unit) adopt(r *run) {
	u.def = r.def
	u.policy.set(r.def.Keep)
	u.fresh()
	u.attend()
}

// promote lets a successor go on in place of one that has ended before it took
// over.
func (u *unit) promote() {
	u.run, u.next = u.next, nil
	u.alarms.clear(probationOver)
	if u.run.ready {
		u.adopt(u.run)
		if u.state == Ready {
			return
		}
	}
	by := u.run.replacedBy
	u.move(again, by, "")
	if u.run.ready {
		u.move(isOK, by, "")
		return
	}
	u.def = u.run.def
	if u.run.child != nil {
		u.alarms.set(startOver, u.run.began.Add(u.startTimeout(u.run)))
	}
}

// lostSuccessor is about a successor that did not make it: the old one serves on.
func (u *unit) lostSuccessor(r *run, output []string) {
	u.alarms.clear(startOver, probationOver)
	u.dirty = true
	u.failWaiters(r, &StartError{Place: u.place(r), Cause: r.cause}, output)
}

// retireSuccessor gives a successor up, if there is one.
func (u *unit) retireSuccessor(by string) {
	if u.next != nil {
		u.alarms.clear(startOver, probationOver)
		u.dropWaiters(goalReplaced, fmt.Errorf("%s came first", by))
		u.retire(u.next, by, false)
		u.next = nil
	}
}

// retire ends a run that is not the unit's any more.
func (u *unit) retire(r *run, by string, patient bool) {
	if r.endedBy == "" {
		r.endedBy = by
	}
	r.cancel(errEnded)
	u.leaving = append(u.leaving, r)
	if r.child != nil {
		u.escort(r, patient)
	}
}

// escort stops a run that nobody waits for, and sees it out.
func (u *unit) escort(r *run, patient bool) {
	u.stop(r, r.endedBy, patient)
	u.seeOff(r)
}

// seeOff waits for the end of a process, runs what follows it, and gives up its
// home.
func (u *unit) seeOff(r *run) {
	child, def := r.child, u.settingsFor(r)
	u.around.errand("end of "+r.String(), func() {
		<-child.Done()
		u.around.afterwards(r, def)
		if err := r.home.group.Remove(); err != nil {
			u.around.publish(Warned{Place: Place{Program: u.name, Instance: u.instance, Generation: r.number}, Text: err.Error()})
		}
		u.tell(departed{run: r})
	})
}

// departed says that nothing of a run is left.
type departed struct{ run *run }

func (m departed) apply(u *unit) { u.depart(m.run) }

func (u *unit) depart(r *run) {
	u.leaving = slices.DeleteFunc(u.leaving, func(l *run) bool { return l == r })
	u.homes[r.place] = home{}
	if r.child != nil && !r.over {
		exit := r.child.Exit()
		r.over, r.cause = true, causeOf(r, exit)
		r.unheard()
		u.record(r, exit, nil)
	}
	if u.last.run != nil {
		u.settle()
	}
}
