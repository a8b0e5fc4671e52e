package hosttest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

const wished = `
[program.a]
command = "sleep 1000"
[program.b]
command = "sleep 1000"
[program.many]
command = "sleep 1000"
[program.lazy]
command = "sleep 1000"
autostart = false
`

// mustRun carries out a verb that has to work.
func mustRun(t *testing.T, in *hosttest.Instance, verb string, args ...string) {
	t.Helper()
	if r := in.Run(verb, args...); r.Code != 0 {
		t.Errorf("%s %s: %v", verb, strings.Join(args, " "), r)
	}
}

// What somebody stopped, started or scaled stays so, however the master ends and
// comes back, until somebody says otherwise.
func TestWishesAreRemembered(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: wished})
		in.Start()
		mustRun(t, in, "stop", "a")
		mustRun(t, in, "start", "lazy")
		mustRun(t, in, "scale", "many=3")
		check := func(when string) {
			t.Helper()
			checkStates(t, in, "a stopped", "b ready", "many ready", "lazy ready")
			if n := len(in.Pids("many")); n != 3 {
				t.Errorf("%s, many has %d instances, want 3", when, n)
			}
		}
		check("at first")
		in.Stop()
		in.Start()
		check("after a stop and a start")
		kill(t, in.Info().Pid)
		in.Until("the instance to be dead", func() bool { return !in.Running() })
		in.Start()
		check("after a kill and a start")
		mustRun(t, in, "reload")
		check("after a reload")
		mustRun(t, in, "upgrade")
		check("after an upgrade")
		if code := in.Run("status", "a").Code; code != 3 {
			t.Errorf("status of what is stopped ends with %d, want 3", code)
		}
		mustRun(t, in, "start", "a")
		mustRun(t, in, "stop", "lazy")
		mustRun(t, in, "scale", "many=1")
		in.Stop()
		in.Start()
		checkStates(t, in, "a ready", "b ready", "many ready", "lazy stopped")
		if n := len(in.Pids("many")); n != 1 {
			t.Errorf("many has %d instances, want 1", n)
		}
	})
}

// crashing configures a program that ends at once until there is a file, and says
// something before.
const crashing = `
[program.crash]
command  = ["sh", "-c", "test -e mended && exec sleep 1000; echo here it comes; echo 'no such luck' >&2; exit 7"]
on_fatal = ["sh", "-c", "{ echo $DSERVER_PROGRAM; echo $DSERVER_CAUSE; cat; } > fatal.tmp; mv fatal.tmp fatal.txt"]
[program.well]
command = "sleep 1000"
`

// A program that crashes again and again with the default policy is given up soon,
// tells why, and comes back by a reset.
func TestCrashLoopEndsFatal(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: crashing})
		in.Start()
		began, well := time.Now(), in.Pids("well")
		p := in.AwaitProgram("crash", "fatal")
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it was given up after %v", took)
		}
		i := p.Instances[0]
		if i.Generation > 20 || i.Generation < 3 {
			t.Errorf("it was started %d times", i.Generation)
		}
		if len(i.History) == 0 || i.History[len(i.History)-1].Code != 7 || !strings.Contains(i.Reason, "exit status 7") {
			t.Errorf("what is told is %+v", i)
		}
		r := in.Run("status", "crash")
		for _, want := range []string{"fatal", "exit status 7", "here it comes", "no such luck"} {
			if !strings.Contains(r.Stdout, want) || r.Code != 1 {
				t.Errorf("the status does not tell %q, or ends with another code than 1: %v", want, r)
			}
		}
		in.Until("the command to have run", func() bool { return in.Read("fatal.txt") != "" })
		lines := strings.Split(in.Read("fatal.txt"), "\n")
		if lines[0] != "crash" || !strings.Contains(lines[1], "exit status 7") || !slices.Contains(lines, "here it comes") || !slices.Contains(lines, "no such luck") {
			t.Errorf("the command was told %q", lines)
		}
		in.Write("mended", "", 0o600)
		mustRun(t, in, "reset", "crash")
		if p := in.AwaitProgram("crash", "ready"); p.Instances[0].Restarts != 0 {
			t.Errorf("after the reset: %+v", p.Instances[0])
		}
		if got := in.Pids("well"); !slices.Equal(got, well) {
			t.Errorf("what was well has processes %v now, it had %v", got, well)
		}
	})
}

// A program that cannot even be started is given up with the reason that the
// system gave, and what needs it tells what it waits for.
func TestProgramThatCannotBeStarted(t *testing.T) {
	in := hosttest.NewSupervisor(t, "multi")
	const good = "#!/bin/sh\nexec sleep 1000\n"
	in.Write("broken", good, 0o755) // no master starts with less
	in.Configure(hosttest.Settings{Extra: `
[program.broken]
command     = "./broken"
backoff_max = "200ms"
[program.late]
command = "sleep 1000"
needs   = ["broken"]
`})
	in.Start()
	mustRun(t, in, "stop", "late", "broken")
	in.Write("broken", "#!/nowhere/at/all\n", 0o755)
	if r := in.Run("start", "late"); r.Code != 1 || !strings.Contains(r.Stderr, "it needs broken to be ready, and broken is fatal") {
		t.Errorf("the start of what needs it: %v", r)
	}
	p := in.AwaitProgram("broken", "fatal")
	if reason := p.Instances[0].Reason; !strings.Contains(reason, "no such file") {
		t.Errorf("the reason is %q", reason)
	}
	in.Until("what needs it to tell so", func() bool { return strings.Contains(in.Program("late").Instances[0].Reason, "broken") })
	in.Write("broken", good, 0o755)
	mustRun(t, in, "start", "broken")
	in.AwaitProgram("late", "ready")
}

// Nothing of a tree is left after the end of a program, whatever it started and
// however that tried to get away.
func TestNothingOfATreeIsLeft(t *testing.T) {
	const tree = `sleep 1001 & setsid sleep 1002 & (setsid sh -c 'trap : TERM HUP; while :; do sleep 1003; done' &); env -i setsid sleep 1004 & exec sleep 1000`
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: fmt.Sprintf("\n[program.tree]\ncommand = [\"sh\", \"-c\", %q]\n", tree)})
		in.Start()
		for i, end := range []func(){
			func() { kill(t, in.Pids("tree")[0]) },
			func() { mustRun(t, in, "restart", "tree") },
			func() { mustRun(t, in, "stop", "tree") },
		} {
			in.Until("the whole tree", func() bool { return len(family(t, in)) >= 6 })
			before := family(t, in)
			end()
			in.Until("the former tree to be gone", func() bool {
				return !slices.ContainsFunc(family(t, in), func(pid int) bool { return slices.Contains(before, pid) })
			})
			if i < 2 {
				in.AwaitProgram("tree", "ready")
			}
		}
		if left := family(t, in); len(left) > 0 {
			t.Errorf("after the stop %v are left", left)
		}
	})
}
