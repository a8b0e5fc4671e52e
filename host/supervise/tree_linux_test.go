package supervise_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/proc"
)

// place is what stands between a tree of processes and the rest of the system.
type place struct {
	*supervise.Spawner
	tree *cgroup.Tree // nil without control groups
}

// group makes a control group, or none.
func (p place) group(t testing.TB, name string) *cgroup.Group {
	t.Helper()
	g, err := p.tree.Make(name, cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if g != nil {
		t.Cleanup(func() {
			if err := g.Remove(); err != nil {
				t.Error(err)
			}
		})
	}
	return g
}

// everywhere runs a test in control groups, where orphans come to us, and where
// they do not.
func everywhere(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("cgroup", func(t *testing.T) {
		tree, err := cgroup.Find(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if tree.Kind() == cgroup.None {
			t.Skip("there are no control groups that we may write to")
		}
		t.Cleanup(func() {
			if err := tree.Close(); err != nil {
				t.Error(err)
			}
		})
		adoptOrphans(t)
		test(t, place{spawner(t), tree})
	})
	t.Run("subreaper", func(t *testing.T) {
		adoptOrphans(t)
		test(t, place{spawner(t), nil})
	})
	t.Run("session", func(t *testing.T) { test(t, place{spawner(t), nil}) })
}

// adoptOrphans makes us the parent of orphans until the end of the test.
func adoptOrphans(t testing.TB) {
	if err := supervise.Subreap(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
		if !reapAll() {
			t.Error("a child is left")
		}
	})
}

// reapAll reaps those that ended before their trees did, as ReapOrphans would. It
// tells whether there are no children any more.
func reapAll() bool { return reapGroup(1) }

// reapGroup does so for a process group.
func reapGroup(group int) bool {
	for {
		if pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil); err != nil || pid == 0 {
			return err == syscall.ECHILD
		}
	}
}

// treeScript grows a tree: each of its arguments but the first is a level, and
// says how the processes of the next level leave their parent. The first one ends
// up in the arguments of all, so that they can be found.
const treeScript = `#!/bin/sh
id=$1 level=$2
[ $# -lt 2 ] && exec sleep 1000.$id
shift 2
for way in $(echo $level | tr , ' '); do
	case $way in
	plain) "$0" $id "$@" & ;;
	deaf) trap '' TERM INT HUP; "$0" $id "$@" & ;;
	session) setsid "$0" $id "$@" & ;;
	output) "$0" $id "$@" >/dev/null 2>&1 & ;;
	bare) env -i "$0" $id "$@" & ;;
	daemon) (setsid "$0" $id "$@" &) ;;
	hidden) (setsid "$0" $id "$@" >/dev/null 2>&1 &) ;;
	naked) (env -i setsid "$0" $id "$@" &) ;;
	short) sleep 0.00$(( $$ % 10 )); exit 3 ;;
	esac
done
exec sleep 1000.$id
`

// forest makes trees.
type forest struct {
	script string
	random *rand.Rand
}

func newForest(t testing.TB, seed uint64) *forest {
	script := filepath.Join(t.TempDir(), "tree")
	if err := os.WriteFile(script, []byte(treeScript), 0o700); err != nil {
		t.Fatal(err)
	}
	return &forest{script: script, random: rand.New(rand.NewPCG(seed, 0))}
}

// spec gives a tree by random. Without a control group, who puts off its session,
// its environment and its output, one after the other, comes of nobody any more;
// so that only two of them are put off on each way.
func (f *forest) spec(grouped bool) (spec supervise.Spec, id string) {
	id = fmt.Sprintf("%019d", f.random.Uint64()>>1)
	ways := []string{"plain", "deaf", "session", "output", "bare", "daemon", "hidden", "naked", "short"}
	if !grouped {
		put := [][]string{{"output", "hidden"}, {"bare", "naked"}, {"session", "daemon", "hidden", "naked"}}[f.random.IntN(3)]
		ways = slices.DeleteFunc(ways, func(way string) bool { return slices.Contains(put, way) })
	}
	args := []string{f.script, id}
	for range 1 + f.random.IntN(3) {
		var level []string
		for range 1 + f.random.IntN(3) {
			level = append(level, ways[f.random.IntN(len(ways))])
		}
		args = append(args, strings.Join(level, ","))
	}
	return supervise.Spec{Name: "tree", Path: f.script, Args: args, Env: []string{"PATH=" + os.Getenv("PATH")}}, id
}

// remains finds the processes that have id among their arguments. They are killed
// when the test has ended, which has failed then.
func remains(t testing.TB, id string) []string {
	t.Helper()
	var found []string
	for _, pid := range named(id) {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		text, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		group, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		found = append(found, fmt.Sprintf("%s: %s%s", strings.ReplaceAll(string(text), "\x00", " "), stat, group))
	}
	if len(found) > 0 {
		t.Cleanup(func() {
			for _, pid := range named(id) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
			}
		})
	}
	return found
}

// named gives the processes that have id among their arguments.
func named(id string) []int {
	return slices.DeleteFunc(proc.Pids(), func(pid int) bool {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		return err != nil || !strings.Contains(string(text), id)
	})
}

// ends are the ways in which a tree may come to its end.
var ends = []func(p *supervise.Process){
	func(p *supervise.Process) { _ = p.Signal(syscall.SIGKILL) },
	func(p *supervise.Process) { _ = p.Kill() },
	func(p *supervise.Process) {
		_, _ = p.Stop(context.Background(), supervise.Ladder{{Signal: syscall.SIGTERM, Wait: 50 * time.Millisecond}})
	},
	func(p *supervise.Process) {
		_, _ = p.Stop(context.Background(), supervise.Ladder{{Signal: syscall.SIGINT, Wait: time.Millisecond}})
	},
}

// rounds is how often a test of chance is repeated.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("SUPERVISE_TEST_ROUNDS")); err == nil {
		return n
	}
	return 8
}

func TestNothingOfATreeOutlivesItsRoot(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	everywhere(t, func(t *testing.T, at place) {
		f := newForest(t, seed)
		group := at.group(t, "tree")
		for range rounds() * 2 {
			spec, id := f.spec(group != nil)
			spec.Group = group
			wait, end := time.Duration(f.random.IntN(30))*time.Millisecond, ends[f.random.IntN(len(ends))]
			p := start(t, at.Spawner, spec)
			grow(t, p, wait)
			end(p)
			exit := await(t, p)
			if left := remains(t, id); len(left) > 0 || len(exit.Left) > 0 {
				t.Fatalf("%q after %v, %+v: left are\n%s", spec.Args[1:], wait, exit, strings.Join(left, "\n"))
			}
		}
	})
}

// grow gives a tree time to grow, unless its root ends by itself before.
func grow(t testing.TB, p *supervise.Process, long time.Duration) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(long):
	}
}

// Many trees that end at once are looked after together.
func TestNothingOfManyTreesOutlivesTheirRoots(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	everywhere(t, func(t *testing.T, at place) {
		f := newForest(t, seed)
		const count = 10
		var groups [count]*cgroup.Group
		for i := range groups {
			groups[i] = at.group(t, fmt.Sprintf("tree-%d", i))
		}
		for range rounds() / 2 {
			var wg sync.WaitGroup
			var ids []string
			for i := range count {
				spec, id := f.spec(groups[i] != nil)
				spec.Group = groups[i]
				ids = append(ids, id)
				wait, end := time.Duration(20+f.random.IntN(3))*time.Millisecond, ends[f.random.IntN(len(ends))]
				p := start(t, at.Spawner, spec)
				wg.Go(func() {
					grow(t, p, wait)
					end(p)
					<-p.Done()
					if left := remains(t, id); len(left) > 0 || len(p.Exit().Left) > 0 {
						t.Errorf("%q, %v, swept %d, pid %d, left %v: left are\n%s", spec.Args[1:], p.Exit(), p.Exit().Swept, p.Pid(), p.Exit().Left, strings.Join(left, "\n"))
					}
				})
			}
			// Somebody of another tree is none of their business.
			bystander := start(t, at.Spawner, program("/bin/sh", "-c", "setsid sleep 1000 & wait"))
			wg.Wait()
			select {
			case <-bystander.Done():
				t.Errorf("a bystander has ended: %v", bystander.Exit())
			default:
			}
			if _, err := bystander.Stop(stopped(), nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// hopScript is never there for long: it starts itself anew in another session, and
// exits. In the end it stays.
const hopScript = `#!/bin/sh
[ $2 -gt 0 ] || exec sleep 1000.$1
setsid "$0" $1 $(($2 - 1)) &
`

// Without control groups, and where orphans do not come to us, it may be gone
// each time that we come to look at it.
func TestWhoKeepsForkingIsCaught(t *testing.T) {
	script := filepath.Join(t.TempDir(), "hop")
	if err := os.WriteFile(script, []byte(hopScript), 0o700); err != nil {
		t.Fatal(err)
	}
	everywhere(t, func(t *testing.T, at place) {
		group := at.group(t, "hop")
		if group == nil && strings.HasSuffix(t.Name(), "session") {
			t.Skip("it takes a control group, or that orphans come to us")
		}
		for i := range rounds() {
			id := fmt.Sprintf("%019d", rand.Uint64()>>1)
			spec := program("/bin/sh", "-c", `"$0" `+id+` 300 & exec sleep 1000`, script)
			spec.Group = group
			p := start(t, at.Spawner, spec)
			grow(t, p, 20*time.Millisecond)
			ends[i%len(ends)](p)
			exit := await(t, p)
			// It takes but a moment to be there again.
			for range 3 {
				if left := remains(t, id); len(left) > 0 || len(exit.Left) > 0 {
					t.Fatalf("%v, swept %d: left are\n%s", exit, exit.Swept, strings.Join(left, "\n"))
				}
			}
			if !reapAll() {
				t.Fatal("a child is left")
			}
		}
	})
}

// Who puts off everything by which it is known is found by its parents when it is
// told to end, and in a control group always.
func TestStrangersAreFoundAtAStop(t *testing.T) {
	everywhere(t, func(t *testing.T, at place) {
		group := at.group(t, "stranger")
		for i, end := range ends[1:] {
			id := fmt.Sprintf("%019d", rand.Uint64()>>1)
			out := newLines()
			spec := program("/bin/sh", "-c", "env -i setsid sh -c 'sleep 1000."+id+" & echo ready >&3; exec 3>&-; wait' 3>&1 >/dev/null 2>&1 & wait")
			spec.Stdout, spec.Group = out.sink(), group
			p := start(t, at.Spawner, spec)
			out.next(t)
			end(p)
			exit := await(t, p)
			if left := remains(t, id); len(left) > 0 || len(exit.Left) > 0 {
				t.Errorf("end %d, %+v: left are\n%s", i+1, exit, strings.Join(left, "\n"))
			}
		}
	})
}

// Who is killed as one does not end as one: a parent leaves its children to us while
// we look for them, and on a busy machine they take a while more.
func TestNobodyIsStillOnTheWayOut(t *testing.T) {
	adoptOrphans(t)
	s := spawner(t)
	for range rounds() * 40 {
		out := newLines()
		spec := program("/bin/sh", "-c", `sh -c 'sleep 1000 & echo grown; wait' & wait`)
		spec.Stdout = out.sink()
		p := start(t, s, spec)
		out.next(t)
		if _, err := p.Stop(stopped(), nil); err != nil {
			t.Error(err)
		}
		if !reapGroup(p.Pid()) {
			t.Fatal("somebody is there when all is said to be over")
		}
	}
}
