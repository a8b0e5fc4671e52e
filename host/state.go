package host

import "fmt"

// State is where a generation is in its life:
//
//	starting ──ready──▶ ready ──commit──▶ serving ──retire──▶ draining
//	    │ ╲               │ ╲                │                   │
//	    │  ╰───retire─────┼──╰───retire──────┼──────▶ draining   │
//	    ╰──────exit───────┴───────exit───────┴───────exit────────┴──▶ gone
//
// Only a serving generation accepts connections. At any moment at most one
// generation of a slot is starting or ready.
type State uint8

// The states of a generation.
const (
	Starting State = iota // its process runs, its sandboxes are not all ready
	Ready                 // all sandboxes are ready, listeners still closed to the world
	Serving               // accepts
	Draining              // finishes what runs and takes nothing new
	Gone                  // ended; whether well or badly is told by its exit
)

// step is what can happen to a generation.
type step uint8

const (
	stepReady  step = iota // all its sandboxes said ready
	stepCommit             // it was chosen to serve
	stepRetire             // it was told to drain
	stepExit               // its process (or runtime) ended
)

// moves is the whole state machine; what is not listed is refused.
var moves = [...]struct {
	from State
	step step
	to   State
}{
	{Starting, stepReady, Ready},
	{Starting, stepRetire, Draining},
	{Starting, stepExit, Gone},
	{Ready, stepCommit, Serving},
	{Ready, stepRetire, Draining},
	{Ready, stepExit, Gone},
	{Serving, stepRetire, Draining},
	{Serving, stepExit, Gone},
	{Draining, stepExit, Gone},
}

// to gives the state after a step, or a [*MoveError].
func (s State) to(e step) (State, error) {
	for _, m := range moves {
		if m.from == s && m.step == e {
			return m.to, nil
		}
	}
	return s, &MoveError{From: s, Step: e.String()}
}

// String is the name that users see.
func (s State) String() string {
	return [...]string{"starting", "ready", "serving", "draining", "gone"}[s]
}

func (e step) String() string {
	return [...]string{"ready", "commit", "retire", "exit"}[e]
}

// MoveError is a step that a generation cannot take in its state.
type MoveError struct {
	From State
	Step string
}

// Error names state and step.
func (e *MoveError) Error() string {
	return fmt.Sprintf("cannot %s a generation that is %s", e.Step, e.From)
}
