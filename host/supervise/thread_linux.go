package supervise

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// onThread calls f on a thread that ends afterwards, whatever f did to it, and
// that is not the first one: what the system says about a process is what it
// knows of its first thread.
func (s *Spawner) onThread(f func() error) error {
	result := make(chan error, 1)
	s.watchers.Go("a thread of its own", func(context.Context) {
		// Never unlocked, so the thread ends with this goroutine.
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			result <- f()
			return
		}
		// While this goroutine holds the first thread, another one gets another.
		result <- s.onThread(f)
		runtime.UnlockOSThread()
	})
	return <-result
}

// mark gives the calling thread what its children are to inherit.
func (b *birth) mark() error {
	if err := b.spec.Group.Enter(); err != nil {
		return err
	}
	if b.spec.Umask != nil {
		// Threads share their umask until one of them asks for its own. Some
		// containers do not allow that; then it is left to the shell.
		if err := unix.Unshare(unix.CLONE_FS); err == nil {
			unix.Umask(*b.spec.Umask)
		} else {
			b.gate = &gate{umask: fmt.Sprintf("umask %04o", *b.spec.Umask)}
		}
	}
	if b.spec.Nice != nil {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, *b.spec.Nice); err != nil {
			return fmt.Errorf("cannot set the nice value %d: %w", *b.spec.Nice, err)
		}
	}
	if b.spec.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("cannot give up new privileges: %w", err)
		}
	}
	return nil
}

// become makes the calling thread, and no other, u. It cannot be undone.
func (u *User) become() error {
	gid, uid := uintptr(u.GID), uintptr(u.UID)
	// The functions of package syscall would change all threads.
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return os.NewSyscallError("setresgid", errno)
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return os.NewSyscallError("setresuid", errno)
	}
	return nil
}

// keepDumpable is called before a thread or a child that shares our memory changes
// its user, and what it returns afterwards: the system takes that as a reason to
// guard our memory and our part of /proc from our own user for ever.
func keepDumpable() (restore func()) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	return func() {
		if err == nil && before == 1 {
			// It fails for no other reason than a wrong argument.
			_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
		}
	}
}
