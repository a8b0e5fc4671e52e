package supervise_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
)

func TestMarkedProcessesAreFoundAgain(t *testing.T) {
	mark := fmt.Sprintf("%016x", time.Now().UnixNano())
	s, other := supervise.New(supervise.Options{Mark: mark}), spawner(t)
	var pids []int
	for range 3 {
		out := newLines()
		spec := program("/bin/sh", "-c", "sleep 1000 & echo $!; wait")
		spec.Stdout = out.sink()
		p := start(t, s, spec)
		if !strings.HasPrefix(p.Invocation(), mark) || len(p.Invocation()) != 32 {
			t.Errorf("the invocation is %q", p.Invocation())
		}
		below, err := strconv.Atoi(out.next(t))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, p.Pid(), below)
	}
	start(t, other, program("/bin/sleep", "1000"))
	slices.Sort(pids)
	found, err := supervise.Marked(mark)
	if err != nil || len(found) != len(pids) {
		t.Fatalf("found %+v of %v, %v", found, pids, err)
	}
	for i, f := range found {
		if f.Pid != pids[i] || !strings.HasPrefix(f.Invocation, mark) || f.Ticks == 0 {
			t.Errorf("found %+v, want %d", f, pids[i])
		}
		if err := unix.Kill(f.Pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := supervise.Marked(mark); err != nil || len(found) != 0 {
		t.Errorf("after their end: %+v, %v", found, err)
	}
}

func TestNoMarkFindsNothing(t *testing.T) {
	start(t, spawner(t), program("/bin/sleep", "1000"))
	if found, err := supervise.Marked(""); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestImpossibleMarkIsRefused(t *testing.T) {
	for _, mark := range []string{"x", "0123456789abcdef0", "ABC", " "} {
		if _, err := supervise.New(supervise.Options{Mark: mark}).Start(program("/bin/true")); err == nil {
			t.Errorf("started with %q", mark)
		}
		if _, err := supervise.Marked(mark); err == nil {
			t.Errorf("looked for %q", mark)
		}
	}
}
