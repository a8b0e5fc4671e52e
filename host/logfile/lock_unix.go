//go:build linux || darwin

package logfile

import (
	"errors"
	"os"
	"syscall"

	"github.com/dserver/dserver/internal/inherit"
)

// Every append is done under a shared lock of the file, and what puts another
// file into its place under an exclusive one. So a file to which one lock holder
// has seen the log's path lead stays the log while the lock is held.

func lockShared(f *os.File) error { return flock(f, syscall.LOCK_SH) }

// tryLock locks f exclusively; it tells false if somebody appends just now.
func tryLock(f *os.File) (bool, error) {
	err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

func unlock(f *os.File) error { return flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	return inherit.Numbers([]syscall.Conn{f}, func(numbers []uintptr) error {
		for {
			err := syscall.Flock(int(numbers[0]), how)
			if err != syscall.EINTR {
				return os.NewSyscallError("flock", err)
			}
		}
	})
}
