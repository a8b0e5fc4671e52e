package supervise

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pidfd refers to one process for ever, whoever gets its number later.
type pidfd struct {
	file *os.File
	raw  syscall.RawConn
}

// openPidfd gives a reference to the process that has the number now.
func openPidfd(pid int) (*pidfd, error) {
	number, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return newPidfd(number)
}

// newPidfd takes over the descriptor of a process and puts it into the poller.
func newPidfd(number int) (*pidfd, error) {
	if number < 0 {
		return nil, fmt.Errorf("the system has no descriptors for processes: %w", errors.ErrUnsupported)
	}
	if err := unix.SetNonblock(number, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(number))
	}
	f := os.NewFile(uintptr(number), "pidfd")
	raw, err := f.SyscallConn()
	if err == nil {
		// Only a file in the poller has deadlines, and only such a one can be waited for.
		err = f.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &pidfd{file: f, raw: raw}, nil
}

// wait returns nil when the process has exited, though perhaps not yet been
// reaped. A deadline that is not zero ends it with os.ErrDeadlineExceeded.
func (p *pidfd) wait(deadline time.Time) error {
	if err := p.file.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("cannot watch a process: %w", err)
	}
	return p.raw.Read(func(number uintptr) bool { return exited(int(number)) })
}

func exited(number int) bool {
	fds := []unix.PollFd{{Fd: int32(number), Events: unix.POLLIN}}
	n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
	return err == nil && n > 0
}

// running tells whether the process has not exited.
func (p *pidfd) running() bool {
	running := false
	err := p.raw.Control(func(number uintptr) { running = !exited(int(number)) })
	return err == nil && running
}

// signal sends sig; to a process that has exited it is os.ErrProcessDone.
func (p *pidfd) signal(sig syscall.Signal) error {
	var sendErr error
	err := p.raw.Control(func(number uintptr) {
		sendErr = unix.PidfdSendSignal(int(number), sig, nil, 0)
	})
	if err != nil {
		return err
	}
	if sendErr == unix.ESRCH {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("pidfd_send_signal", sendErr)
}

func (p *pidfd) close() error { return p.file.Close() }
