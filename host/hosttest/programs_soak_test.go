//go:build slow

package hosttest_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/proc"
)

// reapLimit is when a process that nobody knows is reaped at the latest: those are
// left alone for a while, since somebody may be about to ask for them.
const reapLimit = 25 * time.Second

// Whoever loses its parent in a container becomes a child of process 1, which has
// to bury it.
func TestProcessOneBuriesWhatIsLeftToIt(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: `
[program.breeder]
command = ["sh", "-c", "for i in 1 2 3 4 5; do (setsid sh -c 'sleep 0.3; echo gone >> orphans' &); done; exec sleep 1000"]
`})
		n := startInNamespace(t, in)
		pid := in.Pids("breeder")[0] // as the namespace counts
		in.Until("the orphans to end", func() bool { return strings.Count(in.Read("orphans"), "gone") == 5 })
		deadline := time.Now().Add(reapLimit)
		in.Until("all zombies to be buried", func() bool { return len(zombiesBelow(n.init)) == 0 || time.Now().After(deadline) })
		if left := zombiesBelow(n.init); len(left) > 0 {
			t.Errorf("%d zombies are left after %v", len(left), reapLimit)
		}
		if got := in.Pids("breeder")[0]; got != pid {
			t.Errorf("the program itself has process %d now, it was %d", got, pid)
		}
		n.signal(syscall.SIGTERM)
		if code := n.wait(); code != 0 {
			t.Errorf("stopped, it ended with %d\n%s", code, n.output.String())
		}
		in.AssertGone()
	})
}

// zombiesBelow lists the dead among a process' children, and theirs.
func zombiesBelow(pid int) (found []int) {
	for _, child := range proc.Children(pid) {
		if s, err := proc.ReadStat(child); err == nil && s.State == 'Z' {
			found = append(found, child)
		}
		found = append(found, zombiesBelow(child)...)
	}
	return found
}
