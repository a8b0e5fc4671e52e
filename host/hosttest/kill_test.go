//go:build slow

package hosttest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
	"github.com/dserver/dserver/internal/group"
)

// threeSleeps is a program of three processes.
const threeSleeps = `
[program.family]
command = "sh -c 'sleep 1000 & sleep 1000 & exec sleep 1000'"
restart = "always"
stable  = "1ms"
start_limit = 0
`

// policy keeps what is killed many times.
const policy = `
[worker.math]
start_limit = 0
[worker.web]
start_limit = 0
[worker.shop]
start_limit = 0
`

// victim finds the process that is to be killed; 0 if there is none.
type victim struct {
	name string
	find func(in *hosttest.Instance, before map[int]bool) int
	// spares says that the program it belongs to goes on without it: nobody but the
	// program itself would start it again.
	spares bool
}

func victims() []victim {
	return []victim{
		{name: "master", find: func(in *hosttest.Instance, _ map[int]bool) int { return one(in, nil, " start ") }},
		{name: "worker", find: func(in *hosttest.Instance, _ map[int]bool) int { return one(in, nil, " worker ") }},
		{name: "new generation", find: func(in *hosttest.Instance, before map[int]bool) int {
			return one(in, func(pid int) bool { return !before[pid] }, " worker ")
		}},
		{name: "old generation", find: func(in *hosttest.Instance, before map[int]bool) int {
			return one(in, func(pid int) bool { return before[pid] }, " worker ")
		}},
		{name: "program", find: func(in *hosttest.Instance, _ map[int]bool) int { return leader(in) }},
		{name: "grandchild", spares: true, find: func(in *hosttest.Instance, _ map[int]bool) int {
			head := leader(in)
			return one(in, func(pid int) bool { return pid != head }, "sleep 1000")
		}},
	}
}

// phase is what goes on while somebody is killed.
type phase struct {
	name string
	verb []string // none: nothing goes on
	down bool     // the instance does not run before
}

func phases() []phase {
	return []phase{
		{name: "idle"},
		{name: "reload", verb: []string{"reload"}},
		{name: "upgrade", verb: []string{"upgrade"}},
		{name: "start", verb: []string{"start", "-d"}, down: true},
		{name: "stop", verb: []string{"stop"}},
	}
}

// Whoever is killed, whenever: afterwards everything runs once, and nothing twice.
func TestKillMatrix(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, v := range victims() {
		for _, ph := range phases() {
			t.Run(v.name+" during "+ph.name, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				in := hosttest.New(t, "multi")
				in.Configure(hosttest.Settings{Probation: 100 * time.Millisecond, Extra: threeSleeps + policy})
				in.Start()
				for i := range soak(1, 20) {
					if ph.down && in.Running() {
						in.Stop()
					}
					before := pids(in)
					verb := group.New(context.WithoutCancel(t.Context()), nil)
					if len(ph.verb) > 0 {
						in.Install(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
						verb.Go("verb", func(ctx context.Context) { carryOut(ctx, t, in, ph.verb) })
					}
					time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond) // any moment
					killAndWait(in, v.find(in, before))
					if err := verb.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					if v.spares && in.Running() {
						if r := in.Run("restart", "family"); r.Code != 0 {
							t.Errorf("restart: %v", r)
						}
					}
					settleDown(t, in)
				}
				in.Stop()
				in.AssertGone()
			})
		}
	}
}

// Where only the master is killed, and started again, no client loses a request.
func TestKilledMasterCostsNoRequest(t *testing.T) {
	for _, ph := range phases()[:3] {
		t.Run(ph.name, func(t *testing.T) {
			in := hosttest.New(t, "multi")
			in.Configure(hosttest.Settings{Probation: 100 * time.Millisecond, Extra: threeSleeps + policy})
			in.Start()
			underLoad(t, in, load.Options{}, func(*load.Load) {
				for i := range soak(2, 20) {
					verb := group.New(context.WithoutCancel(t.Context()), nil)
					if len(ph.verb) > 0 {
						in.Install(hosttest.Build{Label: fmt.Sprintf("build-%d", i)})
						verb.Go("verb", func(ctx context.Context) { carryOut(ctx, t, in, ph.verb) })
					}
					time.Sleep(rand.N(400 * time.Millisecond)) // any moment
					killAndWait(in, one(in, nil, " start "))
					if err := verb.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					settleDown(t, in)
				}
			})
			in.Stop()
			in.AssertGone()
		})
	}
}

// carryOut runs a verb with the build that may be replaced, however it ends: its
// master may go, and it may itself be what is killed.
func carryOut(ctx context.Context, t *testing.T, in *hosttest.Instance, verb []string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var ended *exec.ExitError
	if err := in.Prepare(ctx, verb[0], verb[1:]...).Run(); ctx.Err() != nil || err != nil && !errors.As(err, &ended) {
		t.Errorf("cannot run %s: %v", verb[0], err)
	}
}

// killAndWait kills a process, if there is one, and waits until it has gone.
func killAndWait(in *hosttest.Instance, pid int) {
	if pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
		in.Until("who was killed to go", func() bool { return !pids(in)[pid] })
	}
}

// settleDown starts the instance if it does not run, and waits until everything
// runs exactly once.
func settleDown(t *testing.T, in *hosttest.Instance) {
	t.Helper()
	in.Until("the lock to be held by a living process or by none", func() bool {
		return in.Running() == (one(in, nil, " start ") != 0)
	})
	if !in.Running() {
		in.Start()
	}
	in.Until("everything to run once", func() bool {
		count := make(map[string]int)
		for _, p := range in.Processes() {
			for _, kind := range []string{" start ", " worker math/1", " worker web/1", " worker shop/1", "sleep 1000"} {
				if strings.Contains(p.Args+" ", kind) {
					count[kind]++
				}
			}
		}
		states := states(in)
		return count[" start "] == 1 && count[" worker math/1"] == 1 && count[" worker web/1"] == 1 &&
			count[" worker shop/1"] == 1 && count["sleep 1000"] == 3 && len(states) == 1 && states[0] == "family ready" && len(processesOf(in)) == 3
	})
}

// pids are the processes of an instance.
func pids(in *hosttest.Instance) map[int]bool {
	all := make(map[int]bool)
	for _, p := range in.Processes() {
		all[p.Pid] = true
	}
	return all
}

// one gives a process whose arguments have a text in them, at random.
func one(in *hosttest.Instance, fits func(pid int) bool, args string) int {
	var found []int
	for _, p := range in.Processes() {
		if strings.Contains(p.Args+" ", args) && (fits == nil || fits(p.Pid)) {
			found = append(found, p.Pid)
		}
	}
	if len(found) == 0 {
		return 0
	}
	return found[rand.IntN(len(found))]
}

// leader is the process of the family that leads its session.
func leader(in *hosttest.Instance) int {
	return one(in, func(pid int) bool { sid, err := unix.Getsid(pid); return err == nil && sid == pid }, "sleep 1000")
}
