package supervise

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// crib is where the system puts orphans whose parent we become.
//
// It gives them to the first thread of their new parent as long as that lives, and
// Go never ends it; so nobody has to look at the children of the other threads.
// The file stays open as long as there is something to look for: to find it takes
// much longer than to read it.
type crib struct {
	file *os.File // nil before the first look, and when the system does not tell
	buf  []byte
}

// open tells whether there is such a file. Without it everybody has to be looked at.
func (c *crib) open() bool {
	if c.file != nil {
		return true
	}
	name := fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())
	number, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return false
	}
	c.file, c.buf = os.NewFile(uintptr(number), name), make([]byte, 4<<10)
	return true
}

// orphans gives those of our children who may have had another parent, in the
// order in which they came to us. While others reap some of them, one may be left
// out. It is for one goroutine at a time, and after open.
func (c *crib) orphans() []int {
	n := 0
	for {
		if n == len(c.buf) {
			c.buf = append(c.buf, make([]byte, n)...)
		}
		more, err := c.file.ReadAt(c.buf[n:], int64(n))
		n += more
		if err != nil {
			return proc.ParsePids(c.buf[:n])
		}
	}
}

func (c *crib) close() {
	if c.file != nil {
		// It is our own and nobody else has closed it.
		_ = c.file.Close()
		c.file = nil
	}
}
