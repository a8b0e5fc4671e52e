package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

const (
	// becoming is how long somebody may take to become another program; nobody can
	// see the environment meanwhile.
	becoming = 50 * time.Millisecond
	// becomingPause is how long to wait before looking at it again.
	becomingPause = time.Millisecond
)

// Marked finds the running processes that a Spawner with this mark has started,
// also a former one's, and those that they started in turn, by pid. It looks at
// all processes of the system, which takes some 10 µs for each, and twice at those
// that are just becoming another program.
func Marked(mark string) ([]Found, error) {
	if err := checkMark(mark); err != nil || mark == "" {
		return nil, err
	}
	l := markSearch{mark: mark}
	pids := proc.Pids()
	for deadline := time.Now().Add(becoming); len(pids) > 0; time.Sleep(becomingPause) {
		pids = slices.DeleteFunc(pids, l.look)
		if time.Now().After(deadline) {
			break
		}
	}
	slices.SortFunc(l.found, func(a, b Found) int { return a.Pid - b.Pid })
	return l.found, nil
}

type markSearch struct {
	mark  string
	found []Found
	buf   []byte
}

// look tells false if it has to look again.
func (l *markSearch) look(pid int) (done bool) {
	before, err := proc.ReadStat(pid)
	if err != nil || before.Gone() {
		return true
	}
	var id string
	var becoming bool
	if id, becoming, l.buf = proc.Variable(pid, invocationName, l.buf); !strings.HasPrefix(id, l.mark) {
		return !becoming
	}
	// The number may have changed hands between the two looks.
	after, err := proc.ReadStat(pid)
	if err == nil && after.Ticks == before.Ticks {
		l.found = append(l.found, Found{Pid: pid, Invocation: id, Ticks: before.Ticks})
	}
	return err != nil || after.Ticks == before.Ticks
}

// Kill kills the process, unless its number belongs to another one by now. One
// that has gone is no error.
func (f Found) Kill() error {
	number, err := unix.PidfdOpen(f.Pid, 0)
	if err != nil {
		return killError(f, err)
	}
	defer unix.Close(number)
	if now, err := proc.ReadStat(f.Pid); err != nil || now.Ticks != f.Ticks {
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
