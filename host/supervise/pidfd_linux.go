package supervise

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pidfd is a descriptor that refers to one process for ever, whoever gets its
// number later.
type pidfd int

// noPidfd is none.
const noPidfd pidfd = -1

// openPidfd gives a reference to the process that has the number now.
func openPidfd(pid int) (pidfd, error) {
	number, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return noPidfd, os.NewSyscallError("pidfd_open", err)
	}
	return pidfd(number), nil
}

// exited tells whether the process has exited, though perhaps not yet been reaped.
func (p pidfd) exited() bool {
	fds := []unix.PollFd{{Fd: int32(p), Events: unix.POLLIN}}
	n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
	return err == nil && n > 0
}

// signal sends sig; to a process that has exited it is os.ErrProcessDone.
func (p pidfd) signal(sig syscall.Signal) error {
	err := unix.PidfdSendSignal(int(p), sig, nil, 0)
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// bury takes a process that has exited from the system, if it is a child of ours.
func (p pidfd) bury() {
	// It fails for other people's children, which are none of our business.
	_, _ = retry(func() (int, error) {
		return 0, unix.Waitid(unix.P_PIDFD, int(p), nil, unix.WEXITED|unix.WNOHANG, nil)
	})
}

func (p pidfd) close() error {
	if err := unix.Close(int(p)); err != nil {
		return fmt.Errorf("cannot let go of a process: %w", err)
	}
	return nil
}
