package hosttest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
)

// store is an instance of the command dserver that runs the test program as an
// application, beside a program.
func store(t *testing.T) *hosttest.Instance {
	t.Helper()
	in := hosttest.NewSupervisor(t, "multi")
	binary, own := in.InstallApp("store", hosttest.Build{Label: "first"}, hosttest.Settings{})
	in.Configure(hosttest.Settings{Extra: fmt.Sprintf(`
[app.store]
command = [%q]
config  = %q
rlimits = { nofile = 512 }

[program.beside]
command = "sleep 1000"
`, binary, own)})
	return in
}

// The sandboxes of an application are those of this master: they are reloaded by
// its name without a lost request, survive an upgrade of the master, and are
// started again with the code that they ran.
func TestApplicationRunsUnderThisMaster(t *testing.T) {
	in := store(t)
	in.Start()
	beside := in.Pids("beside")
	underLoad(t, in, load.Options{}, func(l *load.Load) {
		before := processesOf(in)
		in.InstallApp("store", hosttest.Build{Label: "second"}, hosttest.Settings{})
		result, err := in.Reload(t.Context(), ctl.ReloadRequest{Names: []string{"store"}})
		l.Mark(time.Now())
		if err != nil || result.Outcome != "committed" {
			t.Fatalf("reload: %+v, %v", result, err)
		}
		after := processesOf(in)
		for _, worker := range []string{"math", "web", "shop"} {
			if before[worker] == after[worker] || after[worker] == "" {
				t.Errorf("worker %s is %q after the reload and was %q", worker, after[worker], before[worker])
			}
		}
		checkBuild(t, in, "second")
		in.InstallApp("store", hosttest.Build{Label: "not asked for"}, hosttest.Settings{})
		if r := in.Run("upgrade"); r.Code != 0 {
			t.Errorf("upgrade: %v", r)
		}
		if now := processesOf(in); fmt.Sprint(now) != fmt.Sprint(after) {
			t.Errorf("after the upgrade there are %v, before %v", now, after)
		}
	})
	checkBuild(t, in, "second")
	if r := in.Run("signal", "web", "KILL"); r.Code != 0 {
		t.Errorf("signal: %v", r)
	}
	in.Until("web to be back", func() bool { return in.Inspect().Workers != nil && processesOf(in)["web"] != "" })
	checkBuild(t, in, "second")
	if now := in.Pids("beside"); fmt.Sprint(now) != fmt.Sprint(beside) {
		t.Errorf("the program beside it is %v and was %v", now, beside)
	}
	in.Stop()
	in.AssertGone()
}

// What is no application of ours, or has a name twice, is refused before anything
// is touched.
func TestBadApplicationsAreRefused(t *testing.T) {
	in := store(t)
	binary, own := in.InstallApp("other", hosttest.Build{Label: "first"}, hosttest.Settings{})
	broken := in.Write("broken.toml", "probatoin = \"1s\"\n", 0o600)
	for _, tt := range []struct{ name, toml, says string }{
		{"no application", "[app.x]\ncommand = [\"true\"]\n", "it is not built on this framework"},
		{"a failing one", "[app.x]\ncommand = [\"false\"]\n", "cannot check it"},
		{"names twice", fmt.Sprintf("[app.x]\ncommand = [%q]\nconfig = %q\n[app.y]\ncommand = [%q]\nconfig = %q\n", binary, own, binary, own),
			"its sandbox math has the name of something else"},
		{"a name that a program has", fmt.Sprintf("[app.x]\ncommand = [%q]\nconfig = %q\n[program.web]\ncommand = \"sleep 1000\"\n", binary, own),
			"its sandbox web has the name of something else"},
		{"a broken configuration of its own", fmt.Sprintf("[app.x]\ncommand = [%q]\nconfig = %q\n", binary, broken), "probatoin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in.ConfigureText("name = \"app\"\nmode = \"multi\"\n" + tt.toml)
			for _, line := range [][]string{{"check"}, {"start", "-d"}} {
				r := in.Run(line[0], line[1:]...)
				if r.Code != 1 || !strings.Contains(r.Stderr, tt.says) {
					t.Errorf("%s: %v\nwant exit code 1 and %q", line[0], r, tt.says)
				}
			}
		})
	}
}

// A reload of a sandbox and a program together brings the new definition of both.
func TestReloadOfASandboxAndAProgram(t *testing.T) {
	in := hosttest.New(t, "multi")
	program := func(arg string) hosttest.Settings {
		return hosttest.Settings{Extra: "\n[program.beside]\ncommand = \"sleep " + arg + "\"\n"}
	}
	in.Configure(program("1000"))
	in.Start()
	before := processesOf(in)
	in.Configure(program("1001"))
	if r := in.Run("reload", "web", "beside"); r.Code != 0 {
		t.Fatalf("reload: %v", r)
	}
	after := processesOf(in)
	if after["web"] == before["web"] || after["math"] != before["math"] {
		t.Errorf("after the reload of web there are %v, before %v", after, before)
	}
	if got := in.Program("beside").Command; strings.Join(got[1:], " ") != "1001" {
		t.Errorf("the program runs %q", got)
	}
}

// The number of a worker's instances that somebody asked for stays, over a reload,
// an upgrade and a start, until the configuration says another number.
func TestScaledWorkerStaysScaled(t *testing.T) {
	in := hosttest.New(t, "multi")
	in.Start()
	count := func(want int, when string) {
		t.Helper()
		got := 0
		for _, w := range in.Inspect().Workers {
			if w.Name == "math" && w.State == "serving" {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d instances of math, want %d", when, got, want)
		}
	}
	run := func(verb string, args ...string) {
		t.Helper()
		if r := in.Run(verb, args...); r.Code != 0 {
			t.Errorf("%s: %v", verb, r)
		}
	}
	run("scale", "math=3")
	count(3, "after the scaling")
	run("reload")
	count(3, "after a reload")
	run("upgrade")
	count(3, "after an upgrade")
	in.Stop()
	in.Start()
	count(3, "after a new start")
	run("scale", "math=2")
	count(2, "after another scaling")
	in.Configure(hosttest.Settings{Extra: "\n[worker.math]\ninstances = 4\n"})
	run("reload")
	count(4, "after the configuration said so")
	in.Stop()
	in.AssertGone()
}
