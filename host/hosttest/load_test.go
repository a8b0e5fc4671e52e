package hosttest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// underLoad starts load on every socket of an instance, calls body once all
// clients are at work, and fails the test for every request that was lost.
func underLoad(t *testing.T, in *hosttest.Instance, o load.Options, body func(l *load.Load)) {
	t.Helper()
	var targets []load.Target
	for _, sandbox := range []string{"math", "web", "shop"} {
		for _, network := range []string{"tcp", "unix"} {
			targets = append(targets, load.Target{
				Label: sandbox, RPC: sandbox == "math", Network: network, Address: in.Addr(sandbox, network),
			})
		}
	}
	loadOn(t, in, targets, o, body)
}

// loadOn does the same for targets of choice.
func loadOn(t *testing.T, in *hosttest.Instance, targets []load.Target, o load.Options, body func(l *load.Load)) {
	t.Helper()
	l, err := load.Start(context.WithoutCancel(t.Context()), targets, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		report, err := l.Stop(ctx)
		if err != nil {
			t.Errorf("the load did not end: %v", err)
		}
		t.Logf("%s mode\n%s", in.Mode, report.Table())
		if report.Failed() > 0 {
			t.Errorf("%d of %d requests were lost\n%s", report.Failed(), report.Requests(), report.Losses())
		}
	}
	defer stop()
	in.Until("all clients to have an answer", l.Working)
	body(l)
}

// reloadUnderLoad reloads a new build n times while clients are at work. With
// names each reload is one of the next of these sandboxes alone.
func reloadUnderLoad(t *testing.T, in *hosttest.Instance, n int, pause time.Duration, o load.Options, names ...string) {
	t.Helper()
	in.Start()
	underLoad(t, in, o, func(l *load.Load) {
		for i := range n {
			in.Install(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
			var request ctl.ReloadRequest
			if len(names) > 0 {
				request.Names = []string{names[i%len(names)]}
			}
			result, err := in.Reload(t.Context(), request)
			l.Mark(time.Now())
			if err != nil || result.Outcome != "committed" {
				t.Fatalf("reload %d: %+v, %v", i+1, result, err)
			}
			// The moment must not matter.
			select {
			case <-time.After(pause/2 + rand.N(pause)):
			case <-t.Context().Done():
			}
		}
	})
	if info := in.Info(); info.Reloads.Cut != 0 || info.Reloads.Done != n {
		t.Errorf("the master counts %+v, want %d done and none cut", info.Reloads, n)
	}
	in.Stop()
	in.AssertGone()
}

func TestReloadLosesNothing(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		reloadUnderLoad(t, in, 3, 500*time.Millisecond, load.Options{Slow: 500 * time.Millisecond})
	})
}

// A restart of one sandbox keeps its socket: what comes meanwhile waits.
func TestRestartLosesNothing(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		underLoad(t, in, load.Options{Slow: 300 * time.Millisecond}, func(l *load.Load) {
			for _, name := range []string{"math", "web", "shop"} {
				result, err := in.Client.Restart(t.Context(), ctl.ActionRequest{Names: []string{name}})
				l.Mark(time.Now())
				if err != nil || len(result.Results) != 1 || result.Results[0].Error != "" || len(result.Cut) > 0 {
					t.Errorf("restart of %s: %+v, %v", name, result, err)
				}
			}
		})
	})
}
