package supervise

import (
	"fmt"
	"slices"
	"time"
)

// Policy says after which runs a process is started again.
type Policy string

// The policies.
const (
	Never     Policy = "no"
	OnFailure Policy = "on-failure"
	Always    Policy = "always"
)

// Run is one run that ended by itself, or a start that failed.
type Run struct {
	Started, Ended time.Time
	// Exit is how the process ended; for a start that failed it does not matter.
	Exit Exit
	// Failed makes the run a failure whatever Exit says: the process could not be
	// started, or was not ready in time, or a probe gave it up.
	Failed bool
}

// Decision is what follows a run.
type Decision struct {
	Again bool          // start it again
	After time.Duration // how long to wait before that
	Fatal string        // why it was given up; empty if it goes on, or ended as it may
}

// Restarts decides what follows when a process ends by itself. The exported
// fields are settings; they may be changed at any time, and what was counted so
// far stays. The zero value starts nothing again.
type Restarts struct {
	// Policy; default [Never].
	Policy Policy
	// Expected are the exit codes that are no failure; default 0 alone. A process
	// that a signal ended has failed, and so has one whose exit is unknown.
	Expected []int
	// Backoff says how long to wait, after failures and successes alike.
	Backoff Backoff
	// Limit is how many starts within Window are tried before the process is given
	// up; 0 is any number.
	Limit int
	// Window; default 1 minute.
	Window time.Duration

	starts []time.Time // the latest Limit at most, oldest first
}

// Counts is what a [Restarts] has counted, for whoever goes on in our place.
type Counts struct {
	Row    int         `json:"row,omitempty"`    // restarts since the last stable run
	Starts []time.Time `json:"starts,omitempty"` // the latest ones, oldest first
}

// Next takes note of a run and decides what follows.
func (r *Restarts) Next(run Run) Decision {
	failed := run.Failed || r.failure(run.Exit)
	r.note(run.Started)
	again := r.Policy == Always || r.Policy == OnFailure && failed
	switch {
	case !again && !failed:
		return Decision{}
	case !again:
		return Decision{Fatal: run.Exit.String()}
	}
	after := r.Backoff.Next(run.Started, run.Ended)
	window := orDefault(r.Window, time.Minute)
	if r.Limit > 0 && r.within(run.Ended.Add(after).Add(-window)) >= r.Limit {
		return Decision{Fatal: fmt.Sprintf("%d starts within %v, the last one ended with %v", r.Limit, window, run.Exit)}
	}
	return Decision{Again: true, After: after}
}

// Reset forgets what was counted.
func (r *Restarts) Reset() { r.starts, r.Backoff.row = nil, 0 }

// Counts gives what was counted.
func (r *Restarts) Counts() Counts {
	return Counts{Row: r.Backoff.row, Starts: slices.Clone(r.starts)}
}

// Resume goes on with what another Restarts has counted.
func (r *Restarts) Resume(c Counts) {
	r.starts, r.Backoff.row = slices.Clone(c.Starts), max(c.Row, 0)
}

func (r *Restarts) failure(exit Exit) bool {
	if exit.Unknown || exit.Signal != 0 {
		return true
	}
	if len(r.Expected) == 0 {
		return exit.Code != 0
	}
	return !slices.Contains(r.Expected, exit.Code)
}

func (r *Restarts) note(started time.Time) {
	r.starts = append(r.starts, started)
	if over := len(r.starts) - max(r.Limit, 0); over > 0 {
		r.starts = slices.Delete(r.starts, 0, over)
	}
}

// within counts the starts after a moment.
func (r *Restarts) within(moment time.Time) int {
	count := 0
	for _, started := range r.starts {
		if started.After(moment) {
			count++
		}
	}
	return count
}
