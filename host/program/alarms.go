package program

import "time"

// alarm is something that an instance does at a certain time.
type alarm int

const (
	backoffOver   alarm = iota // start again
	startOver                  // it is not ready in time
	settled                    // it has lived long enough for a start to be called one
	probationOver              // the successor takes over
	watchdogOver               // it has not said WATCHDOG=1 in time
	tooOld                     // it is to be recycled
	alarmCount
)

// alarms are the times of one instance. One timer serves all of them.
type alarms struct {
	at    [alarmCount]time.Time // zero: not set
	timer *time.Timer           // nil until it is needed
}

func (a *alarms) set(which alarm, at time.Time) {
	a.at[which] = at
	a.arm()
}

func (a *alarms) in(which alarm, d time.Duration) { a.set(which, time.Now().Add(d)) }

func (a *alarms) clear(which ...alarm) {
	for _, w := range which {
		a.at[w] = time.Time{}
	}
	a.arm()
}

// due gives the next alarm whose time has come, and forgets it.
func (a *alarms) due(now time.Time) (alarm, bool) {
	for w, at := range a.at {
		if !at.IsZero() && !at.After(now) {
			a.at[w] = time.Time{}
			return alarm(w), true
		}
	}
	a.arm()
	return 0, false
}

func (a *alarms) next() (first time.Time) {
	for _, at := range a.at {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func (a *alarms) arm() {
	first := a.next()
	switch {
	case first.IsZero() && a.timer != nil:
		a.timer.Stop()
	case first.IsZero():
	case a.timer == nil:
		a.timer = time.NewTimer(time.Until(first))
	default:
		a.timer.Reset(time.Until(first))
	}
}

// c never gives anything while no alarm was ever set.
func (a *alarms) c() <-chan time.Time {
	if a.timer == nil {
		return nil
	}
	return a.timer.C
}
