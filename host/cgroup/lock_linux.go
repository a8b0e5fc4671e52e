package cgroup

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock tells whether it got the lock. It never waits: anybody may lock a folder
// that he can read.
func lock(dir *os.File, how int) bool {
	raw, err := dir.SyscallConn()
	if err != nil {
		return false
	}
	got := false
	err = raw.Control(func(fd uintptr) { got = unix.Flock(int(fd), how|unix.LOCK_NB) == nil })
	return err == nil && got
}

// Whoever cleans up does not take long; but anybody may lock a folder that he can
// read, so nobody waits for it in earnest.
const (
	lockTries = 50
	lockPause = time.Millisecond
)

// share locks the folder of an instance against those who clean up.
func share(dir *os.File) {
	for try := 0; !lock(dir, unix.LOCK_SH) && try < lockTries; try++ {
		time.Sleep(lockPause)
	}
}

// current tells whether an open folder is the one that has its name now. A lock
// is worth something only if that is so after it was taken.
func current(dir *os.File) bool {
	held, err := dir.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(dir.Name())
	return err == nil && os.SameFile(held, there)
}

// alone tells whether nobody else uses the folder, and keeps it so.
func alone(dir *os.File) bool { return lock(dir, unix.LOCK_EX) && current(dir) }
