package logfile

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// birth is when a file was made; it tells false where the file system does not
// say.
func birth(f *os.File) (born time.Time, ok bool) {
	err := inherit.Numbers([]syscall.Conn{f}, func(numbers []uintptr) error {
		var s unix.Statx_t
		err := unix.Statx(int(numbers[0]), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &s)
		born, ok = time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)), s.Mask&unix.STATX_BTIME != 0
		return err
	})
	return born, ok && err == nil
}
