package supervise_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/proc"
)

// daemon starts a script that starts another one in a session of its own and
// prints its pid; that one exits with 23 once something is written to end. leader
// is what the first does then.
func daemon(t *testing.T, s *supervise.Spawner, leader string, expiring func(p *supervise.Process, heir int)) (p *supervise.Process, heir int, end io.Writer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "end")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fifo.Close() })
	out := newLines()
	spec, _ := shell(t, `setsid sh -c 'sleep 1000 & setsid sleep 1000 & read x <"$0"; exit 23' "$1" & echo $!; `+leader, path)
	spec.Stdout = out.sink()
	told := make(chan int, 1)
	if expiring != nil {
		spec.Expiring = func(p *supervise.Process) {
			if p.Main() != p.Pid() {
				return // now it is the heir that has exited
			}
			if len(p.Tail()) == 0 {
				<-out.told // the pid is in the pipe still
			}
			heir, err := strconv.Atoi(p.Tail()[0])
			if err != nil {
				t.Error(err)
			}
			expiring(p, heir)
			told <- heir
		}
	}
	p = start(t, s, spec)
	if expiring != nil {
		return p, <-told, fifo
	}
	heir, err = strconv.Atoi(out.next(t))
	if err != nil {
		t.Fatal(err)
	}
	return p, heir, fifo
}

// follow makes heir the main process, and gives its descendants besides.
func follow(t *testing.T, p *supervise.Process, heir int) []int {
	t.Helper()
	children := childrenOf(t, heir, 2)
	if err := p.Follow(heir); err != nil {
		t.Fatal(err)
	}
	if p.Main() != heir || p.Pid() == heir {
		t.Errorf("the main process is %d, want %d", p.Main(), heir)
	}
	return append(children, heir)
}

// ended checks that p ended as its heir did, and that nothing is left.
func ended(t *testing.T, p *supervise.Process, want string, tree []int) {
	t.Helper()
	exit := await(t, p)
	if exit.String() != want || len(exit.Left) != 0 {
		t.Errorf("%+v (%v), want %s", exit, exit, want)
	}
	for _, pid := range append(tree, p.Pid()) {
		if proc.Alive(pid) {
			t.Errorf("%d is alive", pid)
		}
	}
	for what, err := range map[string]error{"signal": p.Signal(syscall.SIGTERM), "follow": p.Follow(p.Pid())} {
		if err == nil || what == "signal" && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s afterwards: %v", what, err)
		}
	}
}

func TestExitOfTheFollowedCounts(t *testing.T) {
	for how, leader := range map[string]string{"parent stays": "exec sleep 1000", "parent has gone": "read x; exit 1"} {
		t.Run(how, func(t *testing.T) {
			s := spawner(t)
			before := descriptors(t)
			p, heir, end := daemon(t, s, leader, nil)
			tree := follow(t, p, heir)
			if err := p.Follow(heir); err != nil || p.Main() != heir {
				t.Errorf("once more: %v", err)
			}
			if how == "parent has gone" {
				if err := unix.Kill(p.Pid(), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the parent is dead", func() bool { return !proc.Alive(p.Pid()) })
				if err := p.Follow(p.Pid()); err == nil {
					t.Error("a dead parent is followed again")
				}
			}
			if isDone(p) || !proc.Alive(heir) {
				t.Fatal("it is done before its heir")
			}
			say(t, end, "\n")
			ended(t, p, "exit status 23", tree)
			if after := descriptors(t); after > before+3 { // the two pipes of the test
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// TestParentOfTheFollowedIsLeftOver, also if nothing else is.
func TestParentOfTheFollowedIsLeftOver(t *testing.T) {
	s := spawner(t)
	out := newLines()
	spec, in := shell(t, `exec 3<&0; setsid sh -c "read x <&3; exit 24" & echo $!; exec sleep 1000`)
	spec.Stdout = out.sink()
	p := start(t, s, spec)
	heir, err := strconv.Atoi(out.next(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Follow(heir); err != nil {
		t.Fatal(err)
	}
	say(t, in, "\n")
	ended(t, p, "exit status 24", []int{heir})
	if exit := p.Exit(); exit.Swept != 1 {
		t.Errorf("%+v", exit)
	}
}

func TestParentThatExitsAtOnceIsSucceeded(t *testing.T) {
	for range 20 {
		p, heir, end := daemon(t, spawner(t), "exit 0", func(p *supervise.Process, heir int) {
			if err := p.Follow(heir); err != nil {
				t.Error(err)
			}
		})
		say(t, end, "\n")
		ended(t, p, "exit status 23", []int{heir})
	}
}

func TestParentThatNobodySucceedsIsSwept(t *testing.T) {
	asked := 0
	p, heir, _ := daemon(t, spawner(t), "exit 5", func(*supervise.Process, int) { asked++ })
	ended(t, p, "exit status 5", []int{heir})
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestSignalsGoToTheFollowed(t *testing.T) {
	for how, want := range map[string]string{"signal": "signal: user defined signal 1", "stop": "signal: terminated", "kill": "signal: killed"} {
		t.Run(how, func(t *testing.T) {
			p, heir, _ := daemon(t, spawner(t), "exec sleep 1000", nil)
			tree := follow(t, p, heir)
			switch how {
			case "signal":
				if err := p.Signal(syscall.SIGUSR1); err != nil {
					t.Error(err)
				}
			case "stop":
				if report, err := p.Stop(t.Context(), nil); err != nil || report.Killed() {
					t.Errorf("%+v, %v", report, err)
				}
			case "kill":
				if err := p.Kill(); err != nil {
					t.Error(err)
				}
			}
			ended(t, p, want, tree)
		})
	}
}

func TestFollowGoesFromHandToHand(t *testing.T) {
	p, heir, _ := daemon(t, spawner(t), "exec sleep 1000", nil)
	tree := follow(t, p, heir)
	for _, pid := range []int{tree[0], tree[1], p.Pid(), tree[1]} {
		if err := p.Follow(pid); err != nil || p.Main() != pid {
			t.Errorf("%v, main process %d", err, p.Main())
		}
		// That of before may go.
	}
	if err := unix.Kill(heir, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first heir is dead", func() bool { return !proc.Alive(heir) })
	if isDone(p) {
		t.Fatal("it ended with who is not followed any more")
	}
	if err := unix.Kill(tree[1], unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ended(t, p, "signal: hangup", tree)
}

func TestStrangersAreNotFollowed(t *testing.T) {
	s := spawner(t)
	other := ready(t, s, "wait")
	pid, _ := stranger(t, nil, "sleep 1000")
	p, heir, end := daemon(t, s, "exec sleep 1000", nil)
	tree := follow(t, p, heir)
	for _, pid := range []int{0, -1, 1, 1 << 29, os.Getpid(), pid, other.Pid()} {
		if err := p.Follow(pid); err == nil || p.Main() != heir {
			t.Errorf("%d is followed", pid)
		} else if errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%d: %v", pid, err)
		}
	}
	say(t, end, "\n")
	ended(t, p, "exit status 23", tree)
}

func TestFollowedIsFollowedByTheNextMaster(t *testing.T) {
	for _, leader := range []string{"alive", "dead"} {
		t.Run(leader, func(t *testing.T) {
			s := spawner(t)
			p, heir, end := daemon(t, s, "exec sleep 1000", nil)
			tree := follow(t, p, heir)
			if leader == "dead" {
				if err := unix.Kill(p.Pid(), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the leader is dead", func() bool { return !proc.Alive(p.Pid()) })
			}
			q := taken(t, s, p, true, supervise.Adoption{})
			if q.Main() != heir || q.Pid() != p.Pid() {
				t.Errorf("it is %d, main process %d", q.Pid(), q.Main())
			}
			say(t, end, "\n")
			ended(t, q, "exit status 23", tree)
		})
	}
}

// TestFollowedOutlivesAKilledMaster: of the leader nothing is left then, and the
// heir is found.
func TestFollowedOutlivesAKilledMaster(t *testing.T) {
	s := spawner(t)
	pid, ticks := stranger(t, []string{"INVOCATION_ID=heir"}, "sleep 1000 & wait")
	tree := append(childrenOf(t, pid, 1), pid)
	r := supervise.Record{Name: "daemon", Pid: 1 << 29, Ticks: 1, Invocation: "heir", Main: &supervise.Main{Pid: pid, Ticks: ticks}}
	p := adopt(t, s, r, supervise.Pipes{}, supervise.Adoption{})
	if report, err := p.Stop(t.Context(), nil); err != nil || !slices.Equal(report.Sent, []syscall.Signal{syscall.SIGTERM}) {
		t.Errorf("%+v, %v", report, err)
	}
	if exit := p.Exit(); exit.Signal != syscall.SIGTERM || slices.ContainsFunc(tree, proc.Alive) {
		t.Errorf("%+v", fmt.Sprint(exit))
	}
}

// reapAndFollow is a supervisor to whom orphans come: a followed orphan is a child
// of its own. It follows the heir of a parent that exits at once, changes its
// program meanwhile, and tells how the heir ends.
func reapAndFollow([]string) error {
	t, resumed, err := reexec.Take()
	if err != nil {
		return err
	}
	s := supervise.New(supervise.Options{})
	if !resumed {
		if err := supervise.Subreap(); err != nil {
			return err
		}
		return followAndChange(s)
	}
	var r supervise.Record
	if err := json.Unmarshal(t.State(), &r); err != nil {
		return err
	}
	if err := s.Freeze(); err != nil {
		return err
	}
	p, err := s.Adopt(r, supervise.Pipes{Stdout: t.Files()[0], Stderr: t.Files()[1]}, supervise.Adoption{})
	if err != nil {
		return err
	}
	if err := t.Accept(); err != nil {
		return err
	}
	s.Thaw()
	if err := unix.Kill(p.Main(), unix.SIGUSR2); err != nil {
		return err
	}
	<-p.Done()
	_, waitErr := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	fmt.Println(p.Exit(), p.Main() == r.Main.Pid, p.Exit().Swept, waitErr)
	return nil
}

func followAndChange(s *supervise.Spawner) error {
	followed := make(chan error, 2)
	p, err := s.Start(supervise.Spec{
		Name: "daemon", Path: "/bin/sh", Env: []string{"PATH=/usr/bin:/bin"},
		Args: []string{"sh", "-c", `setsid sh -c 'trap "exit 25" USR2; setsid sleep 1000 & echo $$; wait' & read x <&-; exit 0`},
		Expiring: func(p *supervise.Process) {
			for len(p.Tail()) == 0 {
				time.Sleep(time.Millisecond)
			}
			heir, err := strconv.Atoi(p.Tail()[0])
			followed <- errors.Join(err, p.Follow(heir))
		},
	})
	if err != nil {
		return err
	}
	if err := <-followed; err != nil {
		return err
	}
	if err := s.Freeze(); err != nil {
		return err
	}
	r, pipes := p.Record()
	if pipes.Process != nil {
		return errors.New("a child of ours is lent")
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return reexec.Exec(context.Background(), reexec.Image{
		Path: self, Args: os.Args, Env: os.Environ(), State: text, Files: []syscall.Conn{pipes.Stdout, pipes.Stderr},
	})
}

func TestFollowedOrphanIsAChildOfWhoTakesOrphans(t *testing.T) {
	out := newLines()
	spec := child(t, "reap and follow")
	spec.Stdout, spec.Stderr = out.sink(), out.sink()
	await(t, start(t, spawner(t), spec))
	if got, want := out.list(), "exit status 25 true 1 no child processes"; !slices.Equal(got, []string{want}) {
		t.Errorf("it said %q, want %q", got, want)
	}
}
