package inherit

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Fetch copies a descriptor out of another process, by its number there. The
// system allows it to whoever may trace that process. The file is closed on exec
// and as [Dup] makes it.
func Fetch(pid, number int) (*os.File, error) {
	failed := func(call string, err error) (*os.File, error) {
		return nil, fmt.Errorf("cannot fetch descriptor %d of process %d: %w", number, pid, os.NewSyscallError(call, err))
	}
	ref, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return failed("pidfd_open", err)
	}
	defer unix.Close(ref)
	fetched, err := unix.PidfdGetfd(ref, number, 0)
	if err != nil {
		return failed("pidfd_getfd", err)
	}
	return adopt(fetched, fmt.Sprintf("descriptor %d of process %d", number, pid))
}
