package program

import "fmt"

// State is how far an instance of a program is.
//
//	         start          ready
//	stopped ------> starting ----> ready
//	   ^               |  ^          |
//	   | gone          |  | again    | stop, clean
//	   |          stop |  |          v
//	   +---------------+->+------ stopping
//	   |                             |
//	   | stop     wait, finish, give up: whence an end came from
//	   +------ backoff, exited, fatal <--- starting, ready, stopping
type State string

// The states.
const (
	Stopped  State = "stopped"  // it is not to run
	Starting State = "starting" // it waits for what it needs, or runs and is not ready
	Ready    State = "ready"    // it runs and is ready
	Stopping State = "stopping" // its process is told to end, or is followed by post_stop
	Backoff  State = "backoff"  // it ended and is started again after a while
	Exited   State = "exited"   // it ended as it may, for good
	Fatal    State = "fatal"    // it was given up
)

// occurrence is what moves an instance from one state to another.
type occurrence string

const (
	begun   occurrence = "start"   // somebody wants it to run, or a wait is over
	isOK    occurrence = "ready"   // it said so, or a probe did
	ending  occurrence = "stop"    // its process is told to end, or to stay away
	cleanup occurrence = "clean"   // its process ended by itself and post_stop runs
	gone    occurrence = "gone"    // its process has ended and is not wanted any more
	again   occurrence = "again"   // its process has ended and the next one is started
	delay   occurrence = "wait"    // likewise, after a while
	finish  occurrence = "finish"  // it has ended as it may
	giveUp  occurrence = "give up" // it has ended and will not be started again
)

// moves are all that can happen in a state, and where that leads. What is not
// here is a mistake of ours: see [State.to].
var moves = [...]struct {
	from State
	on   occurrence
	to   State
}{
	{Stopped, begun, Starting},

	{Starting, isOK, Ready},
	{Starting, ending, Stopping},
	{Starting, cleanup, Stopping},
	{Starting, gone, Stopped},
	{Starting, again, Starting},
	{Starting, delay, Backoff},
	{Starting, finish, Exited},
	{Starting, giveUp, Fatal},

	{Ready, ending, Stopping},
	{Ready, cleanup, Stopping},
	{Ready, gone, Stopped},
	{Ready, again, Starting},
	{Ready, delay, Backoff},
	{Ready, finish, Exited},
	{Ready, giveUp, Fatal},

	{Stopping, gone, Stopped},
	{Stopping, again, Starting},
	{Stopping, delay, Backoff},
	{Stopping, finish, Exited},
	{Stopping, giveUp, Fatal},

	{Backoff, begun, Starting},
	{Backoff, ending, Stopped},
	{Exited, begun, Starting},
	{Exited, ending, Stopped},
	{Fatal, begun, Starting},
	{Fatal, ending, Stopped},
}

// to gives the state that follows. A move that the table does not have leaves the
// state as it is and is an error.
func (s State) to(on occurrence) (State, error) {
	for _, m := range moves {
		if m.from == s && m.on == on {
			return m.to, nil
		}
	}
	return s, fmt.Errorf("nothing leads on from state %s at %q", s, on)
}

// alive tells whether there is, or may be, a process.
func (s State) alive() bool { return s == Starting || s == Ready || s == Stopping }

// over tells whether nothing more comes by itself.
func (s State) over() bool { return s == Stopped || s == Exited || s == Fatal }

// worst gives the state of a program from those of its instances: what needs
// most attention comes first.
func worst(states []State) State {
	for _, bad := range [...]State{Fatal, Backoff, Stopping, Starting, Stopped, Exited} {
		for _, s := range states {
			if s == bad {
				return bad
			}
		}
	}
	if len(states) == 0 {
		return Stopped
	}
	return Ready
}
