package sandbox

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that callers act on.
var (
	// ErrUnknown means that the runtime has no sandbox of that name.
	ErrUnknown = errors.New("unknown sandbox")
	// ErrStuck means that a sandbox did not end when it was told to; only a new
	// process gets rid of it.
	ErrStuck = errors.New("sandbox is stuck")
	// ErrStopped means that the sandbox was stopped while it was starting.
	ErrStopped = errors.New("stopped while starting")
	// ErrDraining means that the runtime drains and starts nothing more.
	ErrDraining = errors.New("the runtime is draining")
)

var (
	errBeforeReady   = errors.New("Serve returned before it called Ready")
	errServeReturned = errors.New("Serve has returned")
	errDrainDeadline = errors.New("drain deadline passed")
	errDrainBegun    = errors.New("drain has begun")
	errGoexit        = errors.New("Serve ended its goroutine instead of returning")
)

// StartError tells which sandbox kept the others from starting.
type StartError struct {
	Sandbox string
	Cause   error
	Stuck   []string // what did not stop when the start was taken back
}

// Error names the sandbox and the cause.
func (e *StartError) Error() string {
	text := fmt.Sprintf("cannot start sandbox %q: %v", e.Sandbox, e.Cause)
	if len(e.Stuck) > 0 {
		text += "; still running: " + strings.Join(e.Stuck, ", ")
	}
	return text
}

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Cause }

func unknown(name string) error { return fmt.Errorf("%w %q", ErrUnknown, name) }

func stuck(name string) error {
	return fmt.Errorf("%w: %q did not stop and cannot be started again in this process; reload the process with: reload %s", ErrStuck, name, name)
}

var errNoSockets = errors.New("the host gives no sockets")
