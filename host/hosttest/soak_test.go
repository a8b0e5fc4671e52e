//go:build slow

package hosttest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// soak gives the short or the full figure of something that is repeated, as
// DSERVER_SOAK says: full unless it is short.
func soak(short, full int) int {
	if os.Getenv("DSERVER_SOAK") == "short" {
		return short
	}
	return full
}

func TestReloadUnderLoad(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		reloadUnderLoad(t, in, soak(20, 100), 700*time.Millisecond, load.Options{})
	})
}

func TestReloadUnderLoadWithDefaultProbation(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Probation: time.Second})
		reloadUnderLoad(t, in, 3, 700*time.Millisecond, load.Options{})
	})
}

// Two processes share each socket of a worker with two instances.
func TestReloadUnderLoadWithInstances(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.math]\ninstances = 2\n\n[worker.web]\ninstances = 2\n"})
	reloadUnderLoad(t, in, soak(5, 30), 700*time.Millisecond, load.Options{})
}

func TestReloadOfOneSandboxUnderLoad(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		reloadUnderLoad(t, in, soak(6, 30), 700*time.Millisecond, load.Options{}, "math", "web", "shop")
	})
}

// Many busy clients fill the queues of the sockets, so that connections wait in
// them whenever a generation lets go.
func TestReloadUnderManyNewConnections(t *testing.T) {
	for _, only := range []string{"new connection", "dial per call"} {
		t.Run(only, func(t *testing.T) {
			hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
				o := load.Options{Pause: time.Millisecond, Clients: 32, Only: only}
				reloadUnderLoad(t, in, soak(5, 25), 300*time.Millisecond, o)
			})
		})
	}
}

func TestStopDuringReloadAtAnyMoment(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) { stopDuringReloads(t, in, 20) })
}

// Reloads leave nothing behind in the master: no descriptor, no goroutine, no
// memory. In single mode each generation is a new process and it is the
// generations that must not grow.
func TestThousandReloads(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Worker: "one", Probation: time.Millisecond})
		in.Start()
		n := soak(60, 1000)
		reloadTimes(t, in, n/10) // caches and pools fill
		before := settled(t, in)
		began := time.Now()
		reloadTimes(t, in, n)
		t.Logf("%s mode: %d reloads, %v each", in.Mode, n, (time.Since(began) / time.Duration(n)).Round(100*time.Microsecond))
		// What is on its way out goes within a moment; what has leaked stays. In single
		// mode one process may keep a warm goroutine for calls more than another, as they
		// came; what leaks from process to process is in all that follow.
		var now ctl.Runtime
		defer func() { t.Logf("last   %+v", now) }()
		in.Until(fmt.Sprintf("the master to use no more than %+v", before), func() bool {
			now = in.Inspect().Runtime
			enough := now.Files <= before.Files && now.Goroutines <= before.Goroutines
			if !enough && in.Mode == "single" {
				reloadTimes(t, in, 1)
				settled(t, in)
			}
			return enough
		})
		after := settled(t, in)
		t.Logf("before %+v", before)
		t.Logf("after  %+v", after)
		if after.RSS > before.RSS*5/4+8<<20 {
			t.Errorf("the memory has grown from %d to %d bytes", before.RSS, after.RSS)
		}
	})
}

// reloadTimes reloads n times; every tenth reload brings a new build.
func reloadTimes(t *testing.T, in *hosttest.Instance, n int) {
	t.Helper()
	for i := range n {
		if i%10 == 0 {
			in.Install(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
		}
		result, err := in.Reload(t.Context(), ctl.ReloadRequest{})
		if err != nil || result.Outcome != "committed" {
			t.Fatalf("reload %d: %+v, %v", i+1, result, err)
		}
	}
}

// settled gives what the master uses once all old generations have gone: the
// lowest of several looks, because an answer itself takes descriptors and memory.
func settled(t *testing.T, in *hosttest.Instance) ctl.Runtime {
	t.Helper()
	processes := map[string]int{"single": 1, "multi": 2}[in.Mode]
	in.Until("the old generations to go", func() bool { return len(in.Processes()) == processes })
	least := in.Inspect().Runtime
	for range 20 {
		now := in.Inspect().Runtime
		least.Files = min(least.Files, now.Files)
		least.Goroutines = min(least.Goroutines, now.Goroutines)
		least.Heap = min(least.Heap, now.Heap)
		least.RSS = min(least.RSS, now.RSS)
	}
	return least
}
