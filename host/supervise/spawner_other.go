//go:build !linux

package supervise

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// Spawner cannot start anything on this system.
type Spawner struct{}

// New returns a Spawner.
func New(Options) *Spawner { return &Spawner{} }

// Marked finds nothing.
func Marked(mark string) ([]Found, error) { return nil, checkMark(mark) }

// Subreap is not supported on this system.
func Subreap() error { return errors.ErrUnsupported }

// ReapOrphans returns when ctx ends.
func (*Spawner) ReapOrphans(ctx context.Context) { <-ctx.Done() }

// Wait returns nil.
func (*Spawner) Wait(context.Context) error { return nil }

// Start is not supported on this system.
func (*Spawner) Start(spec Spec) (*Process, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("cannot start %s on %s: %w", spec.Name, runtime.GOOS, errors.ErrUnsupported)
}

// Process cannot be made on this system.
type Process struct{}

// Name is empty.
func (*Process) Name() string { return "" }

// Pid is 0.
func (*Process) Pid() int { return 0 }

// Invocation is empty.
func (*Process) Invocation() string { return "" }

// Started is the zero time.
func (*Process) Started() time.Time { return time.Time{} }

// Done is never closed.
func (*Process) Done() <-chan struct{} { return nil }

// Exit is empty.
func (*Process) Exit() Exit { return Exit{} }

// Tail is empty.
func (*Process) Tail() []string { return nil }

// Signal is not supported on this system.
func (*Process) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Kill is not supported on this system.
func (*Process) Kill() error { return errors.ErrUnsupported }

// Stop is not supported on this system.
func (*Process) Stop(context.Context, Ladder) (StopReport, error) {
	return StopReport{}, errors.ErrUnsupported
}

// Main is 0.
func (*Process) Main() int { return 0 }

// Follow is not supported on this system.
func (*Process) Follow(int) error { return errors.ErrUnsupported }

// Identity is empty.
func (*Process) Identity() Record { return Record{} }

// Record is empty.
func (*Process) Record() (Record, Pipes) { return Record{}, Pipes{} }

// Freeze does nothing.
func (*Spawner) Freeze() error { return nil }

// Thaw does nothing.
func (*Spawner) Thaw() {}

// Adopt is not supported on this system.
func (*Spawner) Adopt(r Record, _ Pipes, _ Adoption) (*Process, error) {
	return nil, fmt.Errorf("cannot adopt %s on %s: %w", r.Name, runtime.GOOS, errors.ErrUnsupported)
}
