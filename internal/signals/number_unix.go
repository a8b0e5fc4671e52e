//go:build unix

package signals

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// number is 0 for a name that this system does not know.
func number(name string) syscall.Signal { return unix.SignalNum("SIG" + name) }
