package inherit

import (
	"fmt"
	"syscall"
)

// InUseError says that an address is taken; errors.Is finds syscall.EADDRINUSE
// in it on systems that have it.
type InUseError struct {
	Network string
	Address string
	Err     error // what the system or the check said
}

// Error names the address.
func (e *InUseError) Error() string {
	return fmt.Sprintf("cannot listen on %s://%s: the address is in use", e.Network, e.Address)
}

// Unwrap gives the reason.
func (e *InUseError) Unwrap() error { return e.Err }

var _ syscall.Conn = (*Socket)(nil)
