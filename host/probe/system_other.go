//go:build !linux

package probe

import (
	"context"
	"errors"
)

// Run is not supported on this system.
func (OwnSession) Run(context.Context, Command) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func lineageOf(pid int) lineage { return lineage{pid: pid} }

func groupsOf(int) map[string]string { return nil }

func awaitFile(context.Context, string) waiter { return sleeper{} }
