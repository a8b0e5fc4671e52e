//go:build slow

package conformance

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
)

// rounds is how often something is repeated: few times if DSERVER_SOAK=short.
func rounds(short, full int) int {
	if os.Getenv("DSERVER_SOAK") == "short" {
		return short
	}
	return full
}

// TestManyKilledWorkersAreBackSoon is TestKilledWorkerIsBackSoon with figures to
// rely on.
func TestManyKilledWorkersAreBackSoon(t *testing.T) {
	in := hosttest.New(t, "multi")
	r := newRestarts(t, in)
	for range rounds(30, 300) {
		r.another()
	}
	t.Log(r)
	r.check()
}

// TestVerbsTimeOut stops the master in its tracks: every verb that asks it ends
// with code 4, none of them hangs.
func TestVerbsTimeOut(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		pid := in.Info().Pid
		kill(t, pid, syscall.SIGSTOP)
		waitFor(t, "the master to stand still", func() bool { return processState(pid) == 'T' })
		defer func() {
			// What was asked of it waits in its queue, orders to stop among it.
			kill(t, pid, syscall.SIGCONT)
			waitFor(t, "the master to obey", func() bool { return !in.Running() })
		}()
		asks := make(map[string]*process)
		for _, line := range []string{
			"status", "status web", "inspect", "inspect web", "loglevel web info",
			"reload --timeout 300ms", "reload web --dry-run --timeout 300ms", "restart web --timeout 300ms", "start web --timeout 300ms",
			"stop web --timeout 300ms", "quit web --timeout 300ms", "stop --timeout 300ms", "quit --timeout 300ms",
		} {
			asks[line] = begin(t, in, in.Binary, strings.Fields(line)...)
		}
		began := time.Now()
		for line, p := range asks {
			code, text := p.wait(), p.out.String()
			if code != 4 || !strings.HasPrefix(text, "error: cannot ") {
				t.Errorf("%s: exit code %d\n%s", line, code, text)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("they took %v", took)
		}
	})
}

// TestVanishedFolderIsMadeAgain: as when a user logs out, and the folder for what
// runs goes. Nobody can reach the instance for some seconds; it serves on.
func TestVanishedFolderIsMadeAgain(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		address := in.Addr("web", "tcp")
		if err := os.RemoveAll(ownFolder(in)); err != nil {
			t.Fatal(err)
		}
		if got := in.Run("status"); got.Code != 3 {
			t.Errorf("status: %v", got)
		}
		if _, err := get(t.Context(), address, "/"); err != nil {
			t.Error(err)
		}
		waitFor(t, "the instance to be found again", func() bool { return in.Run("status").Code == 0 })
		for _, network := range []string{"tcp", "unix"} {
			// Until the reload is through that brings it back, the master has no
			// socket in the folder.
			waitFor(t, "an answer on "+network, func() bool {
				return slices.ContainsFunc(in.Inspect().Sockets, func(s ctl.Socket) bool {
					return s.Sandbox == "math" && strings.HasPrefix(s.Address, network) &&
						in.Run("call", s.Address, "/math/add", "[1,2]", "--timeout", "1s").Code == 0
				})
			})
		}
		in.MustReload(hosttest.Build{Label: "second"})
		in.Stop()
		in.AssertGone()
	})
}

// TestCrashesWithoutEnd kills whatever process of an instance there is, again and
// again at any moment of its life: it is always known what runs, a start works,
// and nothing is left.
func TestCrashesWithoutEnd(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Probation: 20 * time.Millisecond})
		for i := range rounds(15, 100) {
			in.Start()
			master := in.Info().Pid
			reload := begin(t, in, in.Binary, "reload")
			// The moment must not matter: it moves through the reload.
			<-time.After(time.Duration(i%15) * 8 * time.Millisecond)
			if alive(master) {
				kill(t, master, syscall.SIGKILL)
			}
			reload.wait()
			waitFor(t, "the master to be known as gone, or another one", func() bool {
				got := in.Run("status")
				return got.Code == 3 || got.Code == 0 && in.Info().Pid != master
			})
			if !in.Running() && !single(in) {
				in.Start() // goes on with workers that serve, and ends the others
			}
			if in.Running() {
				in.Stop() // in single mode the successor may have taken over
			}
			waitFor(t, "everything to end", func() bool { return len(in.Processes()) == 0 })
		}
		in.Start() // tidies up behind those that were killed
		in.Stop()
	})
}
