package supervise

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// bootID names this run of the system.
func bootID() string {
	// Without it two runs of the system are not told apart.
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

// childOfOurs tells whether we are who has to reap a process, dead or alive.
func childOfOurs(ref pidfd) bool {
	_, err := retry(func() (int, error) {
		return 0, unix.Waitid(unix.P_PIDFD, int(ref), nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	})
	return err == nil
}

// foreignPatience is how long whoever has to reap a process may take for it, if
// its exit status is not known before.
const foreignPatience = 5 * time.Second

// foreignStatus gives the exit status of a process that somebody else reaps. It is
// known while the process is a zombie, if we may look, and again when it has been
// reaped, from Linux 6.15 on. gone is false while there is hope.
func foreignStatus(ref pidfd, pid int, ticks uint64) (status syscall.WaitStatus, known, gone bool) {
	if !ref.exited() {
		return 0, false, false
	}
	if s, err := proc.ReadStat(pid); err == nil && s.Ticks == ticks && s.State == 'Z' && mayLook(pid) {
		return syscall.WaitStatus(s.Code), true, true
	}
	// While it is being reaped the system tells neither here nor there.
	err := ref.signal(0)
	reaped := err != nil && !errors.Is(err, syscall.EPERM)
	status, known = ref.exitInfo()
	return status, known, known || reaped
}

// mayLook tells whether the system shows us what is private to a process, such as
// its exit status. It shows a zero otherwise.
func mayLook(pid int) bool {
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	return err == nil
}

// exitInfo asks the system for the exit status of a process that was reaped. It
// is known to all who had their descriptor before that.
func (p pidfd) exitInfo() (status syscall.WaitStatus, known bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := unix.IoctlPidfdInfo(int(p), &info)
	return syscall.WaitStatus(info.Exit_code), err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0
}

// killGroup kills the process and its group at once, whoever may have their
// numbers by then. Before Linux 6.9 it reaches the process alone.
func (p pidfd) killGroup() error {
	err := unix.PidfdSendSignal(int(p), unix.SIGKILL, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	switch err {
	case unix.EINVAL:
		return p.signal(unix.SIGKILL)
	case unix.ESRCH:
		return os.ErrProcessDone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// copy gives another descriptor of the same process.
func (p pidfd) copy() (pidfd, error) {
	number, err := unix.FcntlInt(uintptr(p), unix.F_DUPFD_CLOEXEC, 0)
	return pidfd(number), os.NewSyscallError("fcntl", err)
}

// descriptor lends the number of a descriptor that stays somebody else's.
type descriptor int

var _ syscall.Conn = descriptor(0)

// SyscallConn implements syscall.Conn.
func (d descriptor) SyscallConn() (syscall.RawConn, error) { return d, nil }

// Control implements syscall.RawConn.
func (d descriptor) Control(f func(number uintptr)) error {
	f(uintptr(d))
	return nil
}

// Read implements syscall.RawConn; there is nothing to be read.
func (descriptor) Read(func(uintptr) bool) error { return errors.ErrUnsupported }

// Write implements syscall.RawConn; there is nothing to be written.
func (descriptor) Write(func(uintptr) bool) error { return errors.ErrUnsupported }
