package probe

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/internal/inherit"
)

// Notice is what a process of a program said on NOTIFY_SOCKET.
type Notice struct {
	// Pid of the sender, as the kernel knows it.
	Pid int

	Ready     bool // READY=1
	Reloading bool // RELOADING=1
	Stopping  bool // STOPPING=1
	Alive     bool // WATCHDOG=1
	Sick      bool // WATCHDOG=trigger: it wants to be treated as one that is not alive

	Status    string        // STATUS=, fit to be shown, at most 1 KiB
	HasStatus bool          // there was one, perhaps empty
	MainPid   int           // MAINPID=, a process of the same program; else 0
	Errno     int           // ERRNO=, else 0
	Extend    time.Duration // EXTEND_TIMEOUT_USEC=, else 0
	Watchdog  time.Duration // WATCHDOG_USEC=: how often it will say WATCHDOG=1 from now on; else 0

	// Wrong says what was not understood or not believed, one sentence each.
	Wrong []string
}

// maxStatus is how much of a STATUS is kept, in bytes.
const maxStatus = 1 << 10

// maxDuration bounds what a program can ask for.
const maxDuration = 365 * 24 * time.Hour

// parse reads the lines of a notice. Those that are for others than us, or that are
// not known, are left out; of two lines with one name the later counts.
func parse(n inherit.Notice) Notice {
	said := Notice{Pid: n.Pid}
	for _, line := range n.Lines {
		key, value, _ := strings.Cut(line, "=")
		if err := said.set(key, value); err != nil {
			said.Wrong = append(said.Wrong, fmt.Sprintf("cannot understand %s: %v", printable(line, maxShown), err))
		}
	}
	return said
}

func (n *Notice) set(key, value string) (err error) {
	switch key {
	case "READY":
		return flag(&n.Ready, value)
	case "RELOADING":
		return flag(&n.Reloading, value)
	case "STOPPING":
		return flag(&n.Stopping, value)
	case "WATCHDOG":
		if value == "trigger" {
			n.Sick = true
			return nil
		}
		return flag(&n.Alive, value)
	case "STATUS":
		n.Status, n.HasStatus = printable(value, maxStatus), true
	case "MAINPID":
		n.MainPid, err = number(value)
	case "ERRNO":
		n.Errno, err = number(value)
	case "EXTEND_TIMEOUT_USEC":
		n.Extend, err = microseconds(value)
	case "WATCHDOG_USEC":
		n.Watchdog, err = microseconds(value)
	}
	return err
}

func flag(to *bool, value string) error {
	if value != "1" {
		return fmt.Errorf("the value must be 1")
	}
	*to = true
	return nil
}

func number(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the value must be a number from 1 to %d", 1<<31-1)
	}
	return int(n), nil
}

func microseconds(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the value must be a number of microseconds")
	}
	return time.Duration(min(n, uint64(maxDuration/time.Microsecond))) * time.Microsecond, nil
}
