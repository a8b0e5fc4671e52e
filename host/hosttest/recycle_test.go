package hosttest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// A worker that is old, or has answered many requests, is replaced, and no request
// is lost by it.
func TestWornWorkersAreReplacedUnderLoad(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: strings.Join([]string{
		"\n[worker.math]", "max_requests = 50", "[worker.web]", "max_requests = 50", "[worker.shop]", `max_age = "2s"`, ""}, "\n")})
	in.Start()
	before := processesOf(in)
	underLoad(t, in, load.Options{}, func(*load.Load) {
		for _, worker := range []string{"math", "web", "shop"} {
			in.Until(worker+" to be replaced", func() bool { return processesOf(in)[worker] != before[worker] })
		}
	})
	if got := processesOf(in)["faulty"]; got != before["faulty"] {
		t.Errorf("a worker without limits was replaced: %s, before %s", got, before["faulty"])
	}
	in.Stop()
	in.AssertGone()
}

// A worker that uses more memory than it may is replaced as well.
func TestFatWorkersAreReplaced(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Configure(hosttest.Settings{Extra: "\n[worker.web]\nmax_rss = \"1MiB\"\n"})
	in.Start()
	before := processesOf(in)
	in.Until("web to be replaced", func() bool { return processesOf(in)["web"] != before["web"] })
	in.Stop()
	in.AssertGone()
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
