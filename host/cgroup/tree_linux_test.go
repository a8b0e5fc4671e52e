package cgroup_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
)

// says gives what the kernel says of mounts and groups.
func says(t testing.TB) (mountinfo, memberships string) {
	t.Helper()
	a, errA := os.ReadFile("/proc/self/mountinfo")
	b, errB := os.ReadFile("/proc/self/cgroup")
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return string(a), string(b)
}

// without leaves out the lines in which s occurs.
func without(text, s string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, s) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// legacy gives a Tree that sees version 1 alone.
func legacy(t *testing.T) *cgroup.Tree {
	t.Helper()
	mountinfo, memberships := says(t)
	tree := cgroup.FindIn(instance(t), without(mountinfo, " - cgroup2 "), memberships)
	if tree.Kind() == cgroup.None {
		t.Skip("no control group of version 1 here can be written to")
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

func TestKinds(t *testing.T) {
	mountinfo, memberships := says(t)
	everything := cgroup.Limits{Memory: mb, MemoryHigh: mb, CPU: 1, Pids: 1}
	for name, m := range map[string]string{
		"nothing mounted": "", "other things mounted": without(mountinfo, " - cgroup"),
		"a folder that is none": "31 24 0:27 / " + t.TempDir() + " rw - cgroup2 cgroup2 rw\n",
	} {
		tree := cgroup.FindIn(instance(t), m, memberships)
		if tree.Kind() != cgroup.None {
			t.Errorf("%s: got %s", name, tree.Kind())
		}
		if g, err := tree.Make("any", everything); g != nil || err != nil {
			t.Errorf("%s: got %v, %v", name, g, err)
		}
		if g, err := tree.Open("any"); g != nil || err != nil {
			t.Errorf("%s: got %v, %v", name, g, err)
		}
		if lacks := tree.Lacks(everything); len(lacks) != 4 || !strings.HasPrefix(lacks[1], "memory_high ") {
			t.Errorf("%s: lacks %q", name, lacks)
		}
		if lacks := tree.Lacks(cgroup.Limits{}); len(lacks) != 0 {
			t.Errorf("%s: lacks %q", name, lacks)
		}
		if err := errors.Join(tree.Close(), tree.Close()); err != nil {
			t.Error(err)
		}
	}
	var none *cgroup.Tree
	if none.Kind() != cgroup.None || none.Leftovers() != nil || none.Close() != nil {
		t.Error("no Tree is something")
	}
}

// beOrdinary becomes a user who may write to nothing.
func beOrdinary(args []string) error {
	const nobody = 65534
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		return err
	}
	tree, err := cgroup.Find(args[0])
	if err != nil {
		return err
	}
	g, err := tree.Make("any", cgroup.Limits{Pids: 1})
	fmt.Println(tree.Kind(), g == nil, err, len(tree.Lacks(cgroup.Limits{Pids: 1})), tree.Close())
	return nil
}

func TestOrdinaryUserHasNoGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	c, err := self("ordinary", instance(t))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Output(); err != nil || string(out) != "none true <nil> 1 <nil>\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestVersionOneAlone(t *testing.T) {
	tree := legacy(t)
	if tree.Kind() != cgroup.Hybrid {
		t.Errorf("got %s", tree.Kind())
	}
	g := group(t, tree, "old", cgroup.Limits{})
	if g.Folder() != "" || !g.Threaded() {
		t.Error("there is a part of version 2")
	}
	for range 3 {
		c := run(t, g, "escape", "6")
		pids, err := g.Pids()
		if err != nil || len(pids) < 3 || slices.Contains(pids, os.Getpid()) {
			t.Fatalf("got %v, %v", pids, err)
		}
		if empty, err := g.Empty(); empty || err != nil {
			t.Errorf("got %v, %v", empty, err)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := g.Gone(limit(t)); err != nil {
			t.Fatal(err)
		}
		awaitDead(t, c.Process.Pid)
	}
}

// bomb becomes ever more processes, each in a session of its own. It does not
// give up when a fork fails.
//
//go:norace
//go:nosplit
func bomb([]string) error {
	// A child has this one thread and nothing of the runtime: no more than bare
	// system calls can be made.
	for {
		if pid, _, err := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0); pid == 0 && err == 0 {
			syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
		}
	}
}

func TestKillEndsAForkBomb(t *testing.T) {
	const most = 300
	kills := map[string]func(*cgroup.Group) error{
		"by the kernel": (*cgroup.Group).Kill,
		"one by one":    (*cgroup.Group).KillEach,
	}
	trees := map[string]func(*testing.T) *cgroup.Tree{
		"all there is":      func(t *testing.T) *cgroup.Tree { return find(t, instance(t)) },
		"version one alone": legacy,
	}
	for how, kill := range kills {
		for where, tree := range trees {
			t.Run(how+" with "+where, func(t *testing.T) {
				tree := tree(t)
				if lacks := tree.Lacks(cgroup.Limits{Pids: most}); len(lacks) > 0 {
					t.Skip(lacks, "without a limit it would take the machine with it")
				}
				for i := range 3 {
					// The dead count until somebody reaps them, so each has a group of its own.
					g := group(t, tree, fmt.Sprintf("bomb-%d", i), cgroup.Limits{Pids: most})
					c, err := self("bomb")
					if err != nil {
						t.Fatal(err)
					}
					start(t, g, c)
					for ctx, n := limit(t), 0; n < most/2; {
						pids, err := g.Pids()
						if err != nil || ctx.Err() != nil {
							t.Fatal(n, err, ctx.Err())
						}
						n = len(pids)
					}
					if err := kill(g); err != nil {
						t.Fatal(err)
					}
					if err := g.Gone(limit(t)); err != nil {
						t.Fatal(err)
					}
					if pids, err := g.Pids(); len(pids) > 0 || err != nil {
						t.Fatalf("%v live on, %v", pids, err)
					}
				}
			})
		}
	}
}

// own is a master that is killed: it makes groups, starts processes in those
// called busy, and says which pids they have.
func own(args []string) error {
	tree, err := cgroup.Find(args[0])
	if err != nil {
		return err
	}
	for i, name := range []string{"a", "busy-1", "b", "busy-2", "c"} {
		l := cgroup.Limits{}
		if i%2 == 1 {
			l.Pids = 50
		}
		g, err := tree.Make(name, l)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, "busy") {
			if err := startIn(g, exec.Command("sleep", "1000")); err != nil {
				return err
			}
		}
	}
	fmt.Println("ready")
	return idle()
}

// abandoned gives an instance whose master was killed. With a group the master
// lived there.
func abandoned(t *testing.T, g *cgroup.Group) string {
	t.Helper()
	name := instance(t)
	c := run(t, g, "owner", name)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	return name
}

func TestFindCleansUpAfterTheDead(t *testing.T) {
	outer := func(t *testing.T) *cgroup.Group {
		return group(t, find(t, instance(t)), "outer", cgroup.Limits{Pids: 1000})
	}
	none := func(*testing.T) *cgroup.Group { return nil }
	for name, where := range map[string]func(*testing.T) *cgroup.Group{"in our group": none, "in another group": outer} {
		t.Run(name, func(t *testing.T) {
			name := abandoned(t, where(t))
			tree := find(t, name)
			if got := tree.Leftovers(); !slices.Equal(got, []string{"busy-1", "busy-2"}) {
				t.Errorf("left are %q", got)
			}
			for _, dir := range traces(t, name) {
				for _, empty := range []string{"a", "b", "c"} {
					if _, err := os.Stat(dir + "/" + empty + ".group"); err == nil {
						t.Errorf("%s is still in %s", empty, dir)
					}
				}
			}
			for _, busy := range tree.Leftovers() {
				g, err := tree.Open(busy)
				if err != nil {
					t.Fatal(err)
				}
				pids, err := g.Pids()
				if err != nil || len(pids) != 1 || g.Threaded() != (tree.Kind() == cgroup.Hybrid) {
					t.Errorf("%s: %v, %v, threaded %v", busy, pids, err, g.Threaded())
				}
				// The limit is still there, and can be changed.
				for _, l := range []cgroup.Limits{{Pids: 50}, {}} {
					if err := g.Set(l); err != nil {
						t.Error(err)
					}
				}
				if err := errors.Join(g.Kill(), g.Gone(limit(t)), g.Remove()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestWhatTheLivingHaveIsLeftAlone(t *testing.T) {
	name := instance(t)
	first := find(t, name)
	g := group(t, first, "mine", cgroup.Limits{Pids: 1000})
	second := find(t, name)
	if left := second.Leftovers(); len(left) > 0 {
		t.Errorf("%q are called left over", left)
	}
	if _, err := second.Make("yours", cgroup.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, g, "sleep")
}

func TestManyTreesAtOnce(t *testing.T) {
	name := instance(t)
	find(t, name)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				tree, err := cgroup.Find(name)
				if err != nil {
					t.Error(err)
					return
				}
				g, err := tree.Make(fmt.Sprintf("g-%d-%d", i, j), cgroup.Limits{Pids: 10})
				if err != nil {
					t.Error(err)
				} else if err := g.Remove(); err != nil {
					t.Error(err)
				}
				if err := tree.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestNestedGroupsGoAsWell(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "nest", cgroup.Limits{})
	if g.Folder() == "" {
		t.Skip("there is no version 2")
	}
	inner := g.Folder() + "/inner"
	if err := errors.Join(unix.Mkdir(inner, 0o755), unix.Mkdir(inner+"/most", 0o755)); err != nil {
		t.Fatal(err)
	}
	c := run(t, g, "sleep")
	if err := os.WriteFile(inner+"/most/cgroup.procs", fmt.Append(nil, c.Process.Pid), 0); err != nil {
		t.Fatal(err)
	}
	if pids, err := g.Pids(); err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("got %v, %v", pids, err)
	}
	if empty, err := g.Empty(); empty || err != nil {
		t.Errorf("got %v, %v", empty, err)
	}
}
