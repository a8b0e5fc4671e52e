package sandbox

import (
	"fmt"
	"time"
)

// State is what one sandbox is doing.
//
//	             start              ready              finish
//	[stopped] ----------> [starting] ------> [ready] ----------> [finished]
//	 ^  ^  ^               |   |  ^            |  |  |
//	 |  |  |          drain|   |  |retry  drain|  |  |fail
//	 |  |  |               |   |  |            |  |  +---------> [failed]
//	 |  |  |               |   |  +--[backoff]<---+ crash
//	 |  |  |               |   |                 |
//	 |  |  |               |   +- fail, crash    |
//	 |  |  | returned      v                     |
//	 |  |  +----------- [draining] <-------------+
//	 |  |                  |
//	 |  | returned         | overrun
//	 |  +-------------- [stuck]
//	 |
//	 +-- stop from backoff, failed and finished
//
// A sandbox that is starting can be told to drain as well, and one that failed
// by a panic outside Serve drains before it is in backoff or failed. The table
// [transitions] is the truth; this picture is its sketch.
type State string

// The states.
const (
	Stopped  State = "stopped"  // not started, or stopped by order
	Starting State = "starting" // Serve runs and has not said Ready
	Ready    State = "ready"    // at work; its listeners accept once the gate is open
	Draining State = "draining" // finishes what runs
	Backoff  State = "backoff"  // it failed and will be started again
	Failed   State = "failed"   // it failed and will not be started again by itself
	Finished State = "finished" // Serve returned nil without being told to
	Stuck    State = "stuck"    // Serve or a goroutine of the box did not return in time
)

// Event is what can happen to a sandbox.
type Event string

// The events.
const (
	evStart    Event = "start"    // an order to start
	evReady    Event = "ready"    // Box.Ready was called and Health was good
	evCrash    Event = "crash"    // it ended with a failure and will be started again
	evRetry    Event = "retry"    // the wait in backoff is over
	evFail     Event = "fail"     // it ended with a failure for good
	evFinish   Event = "finish"   // Serve returned nil of its own accord
	evDrain    Event = "drain"    // an order to stop, or a failure outside Serve
	evStop     Event = "stop"     // an order to stop while nothing runs
	evReturned Event = "returned" // Serve and the goroutines of its box have ended
	evOverrun  Event = "overrun"  // they did not end in time
)

type transition struct {
	from  State
	event Event
	to    State
}

// transitions returns the table of all moves.
func transitions() []transition {
	return []transition{
		{Stopped, evStart, Starting},
		{Failed, evStart, Starting},
		{Finished, evStart, Starting},
		{Backoff, evRetry, Starting},

		{Starting, evReady, Ready},
		{Starting, evCrash, Backoff},
		{Starting, evFail, Failed},
		{Starting, evDrain, Draining},

		{Ready, evCrash, Backoff},
		{Ready, evFail, Failed},
		{Ready, evFinish, Finished},
		{Ready, evDrain, Draining},

		{Draining, evReturned, Stopped},
		{Draining, evCrash, Backoff},
		{Draining, evFail, Failed},
		{Draining, evOverrun, Stuck},

		{Backoff, evStop, Stopped},
		{Failed, evStop, Stopped},
		{Finished, evStop, Stopped},

		{Stuck, evReturned, Stopped},
	}
}

// To returns the state that follows s when e happens, or a [*MoveError].
func (s State) To(e Event) (State, error) {
	for _, t := range transitions() {
		if t.from == s && t.event == e {
			return t.to, nil
		}
	}
	return s, &MoveError{From: s, Event: e}
}

// MoveError is a move that the state table does not have.
type MoveError struct {
	Sandbox string // may be empty
	From    State
	Event   Event
}

// Error tells what was asked and why it cannot be.
func (e *MoveError) Error() string {
	if e.Sandbox == "" {
		return fmt.Sprintf("cannot %s: it is %s", e.Event, e.From)
	}
	return fmt.Sprintf("cannot %s sandbox %q: it is %s", e.Event, e.Sandbox, e.From)
}

// Status is what is known about one sandbox.
type Status struct {
	Name     string
	State    State
	Since    time.Time // of State
	Restarts int       // after failures, since the runtime began
	Error    string    // why it last failed; empty once it is ready again
	Listen   []string  // resolved addresses such as tcp://127.0.0.1:9091, of the last run
	Level    string    // of its logger: DEBUG, INFO, WARN, ERROR or with an offset, as slog writes it
}
