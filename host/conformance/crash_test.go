package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/rpc"
)

// TestPanicStaysInItsSandbox lets a sandbox panic that shares its process with
// all others: they do not lose a request, and the process is the same afterwards.
func TestPanicStaysInItsSandbox(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Worker: "all", Fault: "panic-later", After: 300 * time.Millisecond})
		in.Start()
		before := pidOf(t, in, "web")
		underLoad(t, in, []string{"math", "web", "shop"}, func() {
			waitFor(t, "two panics", func() bool { return sandbox(t, in, "faulty").Restarts >= 2 })
			waitFor(t, "faulty to be back", func() bool { return sandbox(t, in, "faulty").State == "ready" })
		})
		if after := pidOf(t, in, "web"); after != before {
			t.Errorf("the process was %d and is %d", before, after)
		}
		for _, name := range []string{"math", "web", "shop"} {
			if s := sandbox(t, in, name); s.State != "ready" || s.Restarts != 0 {
				t.Errorf("neighbour %s is %s after %d restarts", name, s.State, s.Restarts)
			}
		}
		if got := in.Run("logs", "faulty"); !strings.Contains(got.Stdout, "as told, a while after it was ready") {
			t.Errorf("the log of the sandbox does not tell of the panic: %v", got)
		}
	})
}

// TestPanicInAHandlerCostsOneRequest lets handlers panic: the caller gets an
// error, everybody else the answer.
func TestPanicInAHandlerCostsOneRequest(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Worker: "all"})
		in.Start()
		e, err := rpc.New(rpc.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		underLoad(t, in, []string{"math", "web", "shop"}, func() {
			client := e.Client("tcp://" + in.Addr("math", "tcp"))
			for range 20 {
				if err := client.Call(t.Context(), "/math/panic", nil, nil); err == nil {
					t.Error("a call whose handler panics got a reply")
				}
				if _, err := get(t.Context(), in.Addr("web", "tcp"), "/panic"); err == nil || !strings.Contains(err.Error(), "500") {
					t.Errorf("a request whose handler panics got %v, not a status 500", err)
				}
			}
		})
		for _, s := range in.Inspect().Sandboxes {
			if s.State != "ready" || s.Restarts != 0 {
				t.Errorf("sandbox %s is %s after %d restarts", s.Name, s.State, s.Restarts)
			}
		}
	})
}

// TestKilledWorkerIsReplaced kills a worker: the sandboxes in others lose nothing,
// who asks those in the killed one waits a moment, and status tells.
func TestKilledWorkerIsReplaced(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	address, before := in.Addr("web", "tcp"), pidOf(t, in, "web")
	underLoad(t, in, []string{"math", "shop"}, func() {
		kill(t, before, syscall.SIGKILL)
		waitFor(t, "the end of the worker", func() bool { return !alive(before) })
		if body, err := get(t.Context(), address, "/"); err != nil || body == fmt.Sprintf("hello from %d", before) {
			t.Errorf("who came while nobody was there got %q, %v", body, err)
		}
	})
	if after := pidOf(t, in, "web"); after == before {
		t.Errorf("web still runs in process %d", after)
	}
	for _, w := range in.Inspect().Workers {
		want := ctl.Worker{Restarts: 0, Error: ""}
		if w.Name == "web" {
			want = ctl.Worker{Restarts: 1, Error: "signal: killed"}
		}
		if w.State != "serving" || w.Restarts != want.Restarts || w.Error != want.Error {
			t.Errorf("worker %s is %s after %d restarts, %q", w.Name, w.State, w.Restarts, w.Error)
		}
	}
	if got := in.Run("status"); got.Code != 0 {
		t.Errorf("status: %v", got)
	}
	// A reload does not care that a worker was lost.
	in.MustReload(hosttest.Build{Label: "second"})
}

// TestKilledWorkerKeepsItsCode: what is started after a crash is the code that
// ran, whatever lies at the path by now.
func TestKilledWorkerKeepsItsCode(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	in.InstallFile([]byte("no program"), 0o755)
	before := pidOf(t, in, "web")
	kill(t, before, syscall.SIGKILL)
	waitFor(t, "the end of the worker", func() bool { return !alive(before) })
	if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
		t.Error(err)
	}
}

// TestKilledMasterIsFollowed kills the master while a worker is at work: nobody
// notices but who asks the master. The next start goes on with the same processes.
func TestKilledMasterIsFollowed(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	before := map[string]int{"math": pidOf(t, in, "math"), "web": pidOf(t, in, "web"), "shop": pidOf(t, in, "shop")}
	addresses := []string{in.Addr("web", "tcp"), in.Addr("shop", "tcp")}
	request := hold(t, in)
	underLoad(t, in, []string{"math", "web", "shop"}, func() {
		kill(t, in.Info().Pid, syscall.SIGKILL)
		waitFor(t, "the end of the master", func() bool { return !in.Running() })
		for _, line := range []string{"status", "stop", "reload", "upgrade"} {
			if got := in.Run(line); got.Code != 3 {
				t.Errorf("%s: %v\nwant exit code 3", line, got)
			}
		}
		in.Start()
	})
	for name, pid := range before {
		if now := pidOf(t, in, name); now != pid {
			t.Errorf("%s ran in %d and runs in %d", name, pid, now)
		}
		if s := sandbox(t, in, name); s.State != "ready" || s.Restarts != 0 {
			t.Errorf("%s is %s after %d restarts", name, s.State, s.Restarts)
		}
	}
	if now := []string{in.Addr("web", "tcp"), in.Addr("shop", "tcp")}; !slices.Equal(now, addresses) {
		t.Errorf("they listened on %v and listen on %v", addresses, now)
	}
	request.release()
	kill(t, before["web"], syscall.SIGKILL) // the new master looks after it
	waitUntilServing(t, in, before["web"])
	in.MustReload(hosttest.Build{Label: "second"})
	in.Stop()
	in.AssertGone()
}

// TestKilledMasterLeavesNoOrphan: no master comes in time, and then one comes while a
// worker still finishes what runs. It waits for that and serves anew meanwhile.
func TestKilledMasterLeavesNoOrphan(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{OrphanGrace: 500 * time.Millisecond})
	in.Start()
	orphans := []int{pidOf(t, in, "math"), pidOf(t, in, "web"), pidOf(t, in, "shop")}
	request := hold(t, in)
	kill(t, in.Info().Pid, syscall.SIGKILL)
	waitFor(t, "idle workers to end", func() bool { return !alive(orphans[0]) && !alive(orphans[2]) })
	if !alive(orphans[1]) {
		t.Error("the worker did not wait for the request that runs")
	}
	in.Start()
	if pid := pidOf(t, in, "web"); pid == orphans[1] {
		t.Error("the orphan serves")
	}
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if body, err := get(ctx, in.Addr("web", "tcp"), "/"); err != nil || body == fmt.Sprintf("hello from %d", orphans[1]) {
			t.Errorf("after the new start: %q, %v", body, err)
		}
		cancel()
	}
	request.release()
	waitFor(t, "the orphan to end", func() bool { return !alive(orphans[1]) })
	in.Stop()
	in.AssertGone()
}

// TestKilledMasterOfAnotherBuildIsFollowed: a start brings what it starts, also to
// those that it goes on with. They serve until the new ones do.
func TestKilledMasterOfAnotherBuildIsFollowed(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	before := pidOf(t, in, "web")
	underLoad(t, in, []string{"math", "web", "shop"}, func() {
		kill(t, in.Info().Pid, syscall.SIGKILL)
		waitFor(t, "the end of the master", func() bool { return !in.Running() })
		in.Install(hosttest.Build{Label: "second"})
		in.Start()
		waitFor(t, "the new build to serve", func() bool { return in.Info().Reloads.Done == 1 })
	})
	if pidOf(t, in, "web") == before {
		t.Error("the former build serves")
	}
	checkAllRun(t, in, ctl.ReloadResult{Build: in.Info().Build})
}

// TestKilledMasterInTheMiddleOfAReload kills it while two generations run. In multi
// mode it is the new one that ends: it had not been ordered to serve.
func TestKilledMasterInTheMiddleOfAReload(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Probation: 10 * time.Second})
		in.Start()
		master, web := in.Info().Pid, pidOf(t, in, "web")
		reload := begin(t, in, in.Binary, "reload")
		waitFor(t, "the new generation", func() bool { return strings.Contains(eventsSoFar(t, in), "is ready\n") })
		kill(t, master, syscall.SIGKILL)
		if code := reload.wait(); code == 0 {
			t.Errorf("a reload whose master is killed ends with code 0:\n%s", reload.out.String())
		}
		left := map[bool]int{true: 0, false: 3}[single(in)]
		waitFor(t, "all but those that serve to end", func() bool { return len(in.Processes()) == left })
		in.Start()
		if now := pidOf(t, in, "web"); (now != web) != single(in) {
			t.Errorf("web ran in %d and runs in %d", web, now)
		}
		in.Stop()
	})
}

// TestKilledSingle kills the one process: it is known at once, and a start works.
func TestKilledSingle(t *testing.T) {
	in := hosttest.New(t, "single")
	in.Start()
	in.MustReload(hosttest.Build{Label: "second"})
	for range 3 {
		pid := in.Info().Pid
		kill(t, pid, syscall.SIGKILL)
		waitFor(t, "the end of the process", func() bool { return !alive(pid) && !in.Running() })
		for _, line := range []string{"status", "stop", "reload"} {
			if got := in.Run(line); got.Code != 3 {
				t.Errorf("%s: %v\nwant exit code 3", line, got)
			}
		}
		in.Start()
		if _, err := get(t.Context(), in.Addr("web", "tcp"), "/"); err != nil {
			t.Error(err)
		}
	}
}

// eventsSoFar are the texts of all events that the master remembers, a line each.
func eventsSoFar(t *testing.T, in *hosttest.Instance) string {
	t.Helper()
	var b strings.Builder
	for _, e := range eventsOf(t, in) {
		b.WriteString(e.Text + "\n")
	}
	return b.String()
}

// eventsOf are those that the master remembers.
func eventsOf(t testing.TB, in *hosttest.Instance) (all []ctl.Event) {
	t.Helper()
	// The stream has no end: it is over when nothing came for a while.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	idle := time.AfterFunc(5*time.Second, cancel)
	err := in.Client.Events(ctx, 0, func(e ctl.Event) error {
		all = append(all, e)
		idle.Reset(50 * time.Millisecond)
		return nil
	})
	if ctx.Err() == nil {
		t.Fatalf("cannot read the events: %v", err)
	}
	return all
}
