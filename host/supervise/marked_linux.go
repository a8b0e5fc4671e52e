package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Marked finds the running processes that a Spawner with this mark has started,
// also a former one's, and those that they started in turn, by pid. It looks at
// all processes of the system, which takes some 10 µs for each.
func Marked(mark string) ([]Found, error) {
	if err := checkMark(mark); err != nil {
		return nil, err
	}
	var found []Found
	var buf []byte
	for _, pid := range processes() {
		before, err := readStat(pid)
		if err != nil || before.gone() {
			continue
		}
		var id string
		if id, buf = invocationOf(pid, buf); mark == "" || !strings.HasPrefix(id, mark) {
			continue
		}
		// The number may have changed hands between the two looks.
		if after, err := readStat(pid); err == nil && after.ticks == before.ticks {
			found = append(found, Found{Pid: pid, Invocation: id, Ticks: before.ticks})
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return a.Pid - b.Pid })
	return found, nil
}

// Kill kills the process, unless its number belongs to another one by now. One
// that has gone is no error.
func (f Found) Kill() error {
	number, err := unix.PidfdOpen(f.Pid, 0)
	if err != nil {
		return killError(f, err)
	}
	defer unix.Close(number)
	if now, err := readStat(f.Pid); err != nil || now.ticks != f.Ticks {
		return nil
	}
	return killError(f, unix.PidfdSendSignal(number, unix.SIGKILL, nil, 0))
}

func killError(f Found, err error) error {
	if err == nil || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return fmt.Errorf("cannot kill pid %d: %w", f.Pid, err)
}
