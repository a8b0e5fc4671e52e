package program

import (
	"fmt"
	"time"
)

// outcome is the answer to a command for one instance.
type outcome struct {
	state  State
	err    error
	output []string
}

// goal is what somebody waits for.
type goal int

const (
	goalUp       goal = iota // ready
	goalDown                 // nothing runs
	goalReplaced             // the new process serves and the old one has gone
)

type waiter struct {
	goal  goal
	from  int  // goalUp: the first generation that counts; goalReplaced: that of the new one
	held  bool // goalDown: it has not been told to end yet
	reply chan<- outcome
}

// settleTime is how long a process must live until a start without a probe is
// called a success: one that dies at once is a failed start for whoever asked.
const settleTime = 100 * time.Millisecond

// answer tells those whose goal has been reached, or does not come by itself.
func (u *unit) answer() {
	if u.run != nil && u.run.child == nil && u.run.blocked != "" {
		u.failWaiters(u.run, &StartError{Place: u.place(u.run), Cause: u.run.blocked}, nil)
	}
	kept := u.waiters[:0]
	for _, w := range u.waiters {
		if u.reached(w) {
			w.reply <- outcome{state: u.state}
			continue
		}
		kept = append(kept, w)
	}
	clear(u.waiters[len(kept):])
	if u.waiters = kept; len(kept) == 0 {
		u.waiters = nil
	}
}

func (u *unit) reached(w waiter) bool {
	switch w.goal {
	case goalUp:
		return u.state == Ready && u.run.number >= w.from && u.hasSettled() ||
			u.state == Exited && u.number >= w.from
	case goalReplaced:
		return u.state == Ready && u.run.number >= w.from && len(u.leaving) == 0
	}
	return !w.held && u.state.over() && u.empty()
}

func (u *unit) hasSettled() bool {
	if !atOnce(u.run.def) {
		return true
	}
	at := u.run.began.Add(settleTime)
	if !time.Now().Before(at) {
		return true
	}
	u.alarms.set(settled, at)
	return false
}

// dropWaiters tells those with a goal that it will not be reached.
func (u *unit) dropWaiters(g goal, err error) {
	kept := u.waiters[:0]
	for _, w := range u.waiters {
		if w.goal == g || g == goalUp && w.goal == goalReplaced {
			w.reply <- outcome{state: u.state, err: err}
			continue
		}
		kept = append(kept, w)
	}
	clear(u.waiters[len(kept):])
	u.waiters = kept
}

// StartError is a start that failed.
type StartError struct {
	Place Place
	Cause string
}

// Error tells what failed and why.
func (e *StartError) Error() string { return fmt.Sprintf("%s did not start: %s", e.Place, e.Cause) }

// failWaiters tells those who waited for a run that it has failed, whatever the
// policy makes of that.
func (u *unit) failWaiters(r *run, err error, output []string) {
	kept := u.waiters[:0]
	for _, w := range u.waiters {
		if w.goal != goalDown && r.number >= w.from {
			w.reply <- outcome{state: u.state, err: err, output: output}
			continue
		}
		kept = append(kept, w)
	}
	clear(u.waiters[len(kept):])
	u.waiters = kept
}
