//go:build !linux

package reexec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Exec is not supported on this system.
func Exec(_ context.Context, image Image) error {
	if err := image.validate(); err != nil {
		return fmt.Errorf("cannot run %s in place of this program: %w", image.what(), err)
	}
	return fmt.Errorf("cannot run %s in place of this program on %s: %w", image.what(), runtime.GOOS, errors.ErrUnsupported)
}

// Taken cannot be had on this system.
type Taken struct{}

// Take never finds anything.
func Take() (*Taken, bool, error) { return nil, false, nil }

// State is nil.
func (*Taken) State() []byte { return nil }

// Files is nil.
func (*Taken) Files() []*os.File { return nil }

// Signals is nil.
func (*Taken) Signals() []os.Signal { return nil }

// Returned is nil.
func (*Taken) Returned() error { return nil }

// Accept does nothing.
func (*Taken) Accept() error { return nil }

// Back is not supported on this system.
func (*Taken) Back(error) error { return errors.ErrUnsupported }
