package hosttest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// Workers that have answered many requests are replaced, and no request is lost by
// it. One without a limit is left alone.
func TestBusyWorkersAreReplacedUnderLoad(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.math]\nmax_requests = 50\n[worker.shop]\nmax_requests = 50\n"})
	in.Start()
	before := processesOf(in)
	underLoad(t, in, load.Options{}, func(*load.Load) { awaitReplaced(in, before, "math", "shop") })
	if got := processesOf(in)["web"]; got != before["web"] || got == "" {
		t.Errorf("a worker without limits was replaced: %q, before %q", got, before["web"])
	}
	in.Stop()
	in.AssertGone()
}

// Workers that are old, or use more memory than they may, are replaced as well.
func TestOldAndFatWorkersAreReplaced(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.math]\nmax_rss = \"1MiB\"\n[worker.shop]\nmax_age = \"2s\"\n"})
	in.Start()
	awaitReplaced(in, processesOf(in), "math", "shop")
	in.Stop()
	in.AssertGone()
}

// awaitReplaced waits until workers run in other processes than before.
func awaitReplaced(in *hosttest.Instance, before map[string]string, workers ...string) {
	for _, worker := range workers {
		in.Until(worker+" to be replaced", func() bool {
			now := processesOf(in)[worker]
			return now != "" && now != before[worker]
		})
	}
}

// processesOf names the process of each worker by its place, and when it started.
func processesOf(in *hosttest.Instance) map[string]string {
	out := make(map[string]string)
	for _, w := range in.Inspect().Workers {
		if w.State == "serving" {
			out[w.Name] = fmt.Sprintf("%d of %s", w.Pid, w.Started.Format(time.RFC3339Nano))
		}
	}
	return out
}
