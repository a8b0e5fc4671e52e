package hosttest_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// chain is programs and a worker that need each other in both directions: first <-
// migrate <- second <- the worker math <- front.
const chain = `
[log]
level = "debug"

[program.front]
command = "sleep 1000"
needs   = ["math"]

[worker.math]
needs = ["second"]

[program.second]
command = "sleep 1000"
needs   = { first = "started", migrate = "completed" }

[program.migrate]
command = "sh -c 'sleep 0.2'"
restart = "no"
needs   = ["first"]

[program.first]
command = "sh -c 'sleep 0.2; echo first is up; exec sleep 1000'"
ready   = "log:is up"
`

// What is needed is there before who needs it, and goes after it, also between
// programs and workers.
func TestProgramsAndWorkersWaitForWhatTheyNeed(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: chain})
		in.Start()
		in.Stop()
		in.AssertGone()
		inOrder(t, in, "first out first is up", `program first/1\.1 \(pid \d+\) is ready`, `program migrate/1\.1 \(pid \d+\) is ready`,
			`program migrate/1\.1 is exited`, `program second/1\.1 \(pid \d+\) is ready`, `sandbox math is ready`,
			`program front/1\.1 \(pid \d+\) is ready`, `master running`,
			`program front/1\.1 is stopped`, `sandbox math is stopped`, `program second/1\.1 is stopped`, `program first/1\.1 is stopped`)
	})
}

// inOrder fails the test unless the log has a line for each pattern, one after the
// other.
func inOrder(t *testing.T, in *hosttest.Instance, patterns ...string) {
	t.Helper()
	text, err := os.ReadFile(in.Log)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for _, pattern := range patterns {
		at := regexp.MustCompile(pattern).FindStringIndex(rest)
		if at == nil {
			t.Errorf("there is no %q, or not in its turn", pattern)
			continue
		}
		rest = rest[at[1]:]
	}
}

// A start by name brings along what is needed, and nothing else; a stop of what is
// needed does not stop who needs it.
func TestStartBringsAlongWhatIsNeeded(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: `
[program.db]
command = "sleep 1000"
[program.web]
command = "sleep 1000"
needs   = ["db"]
[program.other]
command = "sleep 1000"
`})
		if r := in.Command(in.Binary, "start", "-d", "web"); r.Code != 0 {
			t.Fatalf("cannot start: %v", r)
		}
		checkStates(t, in, "db ready", "web ready", "other stopped")
		for _, step := range [][]string{{"stop", "db", "web"}, {"start", "web"}, {"stop", "db"}} {
			if r := in.Run(step[0], step[1:]...); r.Code != 0 {
				t.Errorf("%s: %v", step, r)
			}
		}
		checkStates(t, in, "db stopped", "web ready", "other stopped")
		in.Stop()
		in.Start()
		checkStates(t, in, "db stopped", "web starting", "other ready")
	})
}

// checkStates compares the states of all programs.
func checkStates(t *testing.T, in *hosttest.Instance, want ...string) {
	t.Helper()
	if got := states(in); !slices.Equal(got, want) {
		t.Errorf("the programs are %q, want %q", got, want)
	}
}

func states(in *hosttest.Instance) (list []string) {
	for _, p := range in.Programs() {
		list = append(list, p.Name+" "+p.State)
	}
	return list
}

// What follows another program is restarted with it, however that one came to its
// new process; others are not.
func TestFollowersAreRestartedToo(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Extra: `
[program.db]
command = "sleep 1000"
[program.follower]
command = "sleep 1000"
needs   = ["db"]
follow  = true
[program.farther]
command = "sleep 1000"
needs   = ["follower"]
follow  = true
[program.other]
command = "sleep 1000"
needs   = ["db"]
`})
		in.Start()
		for i, renew := range []func(){
			func() { kill(t, in.Pids("db")[0]) },
			func() {
				if r := in.Run("restart", "db"); r.Code != 0 {
					t.Error(r)
				}
			},
		} {
			before := pidsOf(in, "db", "follower", "farther", "other")
			renew()
			in.Until("followers to have new processes", func() bool {
				after := pidsOf(in, "db", "follower", "farther", "other")
				return !slices.Contains(after, 0) && after[0] != before[0] && after[1] != before[1] && after[2] != before[2]
			})
			if got := pidsOf(in, "other")[0]; got != before[3] {
				t.Errorf("round %d: what does not follow has process %d now, it was %d", i, got, before[3])
			}
		}
	})
}

// pidsOf gives the first process of each program.
func pidsOf(in *hosttest.Instance, programs ...string) (pids []int) {
	for _, name := range programs {
		pids = append(pids, in.Pids(name)[0])
	}
	return pids
}

// The strategy of a group says who goes down with one that ends by itself.
func TestGroupStrategies(t *testing.T) {
	for _, s := range []struct {
		strategy string
		renewed  []bool // of a, b, c when b is killed
	}{{"one", []bool{false, true, false}}, {"rest", []bool{false, true, true}}, {"all", []bool{true, true, true}}} {
		t.Run(s.strategy, func(t *testing.T) {
			t.Parallel()
			in := hosttest.NewSupervisor(t, "multi")
			var b strings.Builder
			fmt.Fprintf(&b, "\n[group.g]\nstrategy = %q\n", s.strategy)
			names := []string{"a", "b", "c"}
			for _, name := range names {
				fmt.Fprintf(&b, "[program.%s]\ncommand = \"sleep 1000\"\ngroup = \"g\"\n", name)
			}
			in.Configure(hosttest.Settings{Extra: b.String()})
			in.Start()
			before := pidsOf(in, names...)
			kill(t, before[1])
			in.Until("the restart", func() bool {
				after := pidsOf(in, names...)
				return !slices.Contains(after, 0) && slices.Equal(changed(before, after), s.renewed)
			})
			if r := in.Run("restart", "g"); r.Code != 0 {
				t.Error(r)
			}
			after := pidsOf(in, names...)
			for i := range after {
				if after[i] == before[i] {
					t.Errorf("a restart of the group left %s alone", names[i])
				}
			}
			in.Stop()
		})
	}
}

func changed(before, after []int) []bool {
	out := make([]bool, len(before))
	for i := range before {
		out[i] = before[i] != after[i]
	}
	return out
}
