package supervise_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
)

// strangerMark is the variable by which a stranger and its descendants are found.
const strangerMark = "SUPERVISE_TEST_STRANGER"

// stranger runs a program in a process, and a session, that are none of ours, and
// gives what was printed first, which is the pid as a rule.
func stranger(t testing.TB, env []string, script string) (pid int, ticks uint64) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "setsid sh -c '"+script+"' >/dev/null 2>&1 & echo $!")
	mark := rand.Text()
	cmd.Env = append(append(os.Environ(), env...), strangerMark+"="+mark)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Who has left for another session is known by this.
		for _, other := range proc.Pids() {
			if value, _, _ := proc.Variable(other, strangerMark, nil); value == mark {
				unix.Kill(other, unix.SIGKILL)
			}
		}
		unix.Kill(-pid, unix.SIGKILL)
	})
	eventually(t, "it has a session of its own", func() bool { sid, err := unix.Getsid(pid); return err == nil && sid == pid })
	stat, err := proc.ReadStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return pid, stat.Ticks
}

// childrenOf waits until a process has so many children, and gives them.
func childrenOf(t testing.TB, pid, count int) (pids []int) {
	t.Helper()
	eventually(t, "it has its children", func() bool {
		pids = proc.Children(pid)
		return len(pids) == count
	})
	return pids
}

func boot(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func adopt(t testing.TB, s *supervise.Spawner, r supervise.Record, pipes supervise.Pipes, a supervise.Adoption) *supervise.Process {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var read supervise.Record
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	p, err := s.Adopt(read, pipes, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(stopped(), nil) })
	return p
}

func TestRecordThatNamesNobodyIsRefused(t *testing.T) {
	s := spawner(t)
	for _, r := range []supervise.Record{{}, {Name: "a"}, {Name: "a", Pid: -1}, {Pid: 1}} {
		if p, err := s.Adopt(r, supervise.Pipes{}, supervise.Adoption{}); err == nil || !strings.HasPrefix(err.Error(), "cannot adopt ") {
			t.Errorf("%+v: %v, %v", r, p, err)
		}
	}
}

// TestStrangersAreNotTouched: their numbers were those of processes of ours.
func TestStrangersAreNotTouched(t *testing.T) {
	s := spawner(t)
	before := descriptors(t)
	pid, ticks := stranger(t, nil, "sleep 1000 & wait")
	theirs := childrenOf(t, pid, 1)
	started := time.Now().Add(-time.Hour)
	known := supervise.Exit{Code: 9, Started: started, Ended: started.Add(time.Minute), Swept: 2}
	for name, r := range map[string]supervise.Record{
		"another start": {Pid: pid, Ticks: ticks + 1, Boot: boot(t)},
		"another boot":  {Pid: pid, Ticks: ticks, Boot: "another"},
		"known":         {Pid: pid, Ticks: ticks - 1, Exit: &known},
		"main":          {Pid: 1 << 29, Ticks: 1, Main: &supervise.Main{Pid: pid, Ticks: ticks + 1}},
		"free number":   {Pid: 1 << 29, Ticks: 1, Stdout: supervise.Stream{Pipe: 1}},
	} {
		r.Name, r.Invocation, r.Started = name, "0123456789abcdef", started
		p := adopt(t, s, r, supervise.Pipes{}, supervise.Adoption{})
		for what, err := range map[string]error{"signal": p.Signal(syscall.SIGTERM), "kill": p.Kill(), "follow": p.Follow(pid)} {
			if err == nil || what != "follow" && !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		exit := await(t, p)
		if name == "known" {
			if exit.Code != 9 || exit.Unknown || !exit.Ended.Equal(known.Ended) || exit.Swept != 2 {
				t.Errorf("%s: %+v", name, exit)
			}
		} else if !exit.Unknown || !exit.Started.Equal(started) || exit.Swept != 0 {
			t.Errorf("%s: %+v", name, exit)
		}
	}
	for _, pid := range append(theirs, pid) {
		if !proc.Alive(pid) {
			t.Errorf("%d is dead", pid)
		}
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestOrphanOfAKilledMasterIsOurs: it is nobody's child, and yet all is as for one.
func TestOrphanOfAKilledMasterIsOurs(t *testing.T) {
	s := spawner(t)
	for how, want := range map[string]string{
		"exit": "exit status 29",
		"stop": "signal: terminated",
		"kill": "signal: killed",
	} {
		t.Run(how, func(t *testing.T) {
			invocation := fmt.Sprintf("%s%d", how, time.Now().UnixNano())
			script := "sleep 1000 & setsid sleep 1000 & wait"
			if how == "exit" {
				script = "sleep 1000 & setsid sleep 1000 & sleep 0.1; exit 29"
			}
			pid, ticks := stranger(t, []string{"INVOCATION_ID=" + invocation}, script)
			count := 2
			if how == "exit" {
				count = 3
			}
			tree := childrenOf(t, pid, count)
			r := supervise.Record{Name: how, Pid: pid, Ticks: ticks, Boot: boot(t), Invocation: invocation, Started: time.Now()}
			p := adopt(t, s, r, supervise.Pipes{}, supervise.Adoption{})
			if p.Pid() != pid || p.Main() != pid || p.Invocation() != invocation {
				t.Errorf("it is %d, %d, %s", p.Pid(), p.Main(), p.Invocation())
			}
			switch how {
			case "stop":
				if report, err := p.Stop(t.Context(), nil); err != nil || report.Killed() {
					t.Errorf("%+v, %v", report, err)
				}
			case "kill":
				if err := p.Kill(); err != nil {
					t.Error(err)
				}
			}
			exit := await(t, p)
			if exit.String() != want || len(exit.Left) != 0 {
				t.Errorf("%+v (%v)", exit, exit)
			}
			for _, pid := range append(tree, pid) {
				if proc.Alive(pid) {
					t.Errorf("%d is alive", pid)
				}
			}
		})
	}
}

// TestLentReferenceOutlivesTheReaper: between the record and the adoption somebody
// else has reaped the process.
func TestLentReferenceOutlivesTheReaper(t *testing.T) {
	s := spawner(t)
	cmd := exec.Command("/bin/sh", "-c", "exit 43")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	number, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	lent := os.NewFile(uintptr(number), "pidfd")
	defer lent.Close()
	cmd.Wait()
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(number, &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		t.Skip("this system does not keep the status of who was reaped")
	}
	r := supervise.Record{Name: "reaped", Pid: cmd.Process.Pid, Ticks: 1, Invocation: "reaped"}
	if exit := await(t, adopt(t, s, r, supervise.Pipes{Process: lent}, supervise.Adoption{})); exit.Code != 43 {
		t.Errorf("%v", exit)
	}
	r.Pid, r.Main = 1<<29, &supervise.Main{Pid: cmd.Process.Pid, Ticks: 1}
	if exit := await(t, adopt(t, s, r, supervise.Pipes{Process: lent}, supervise.Adoption{})); exit.Code != 43 {
		t.Errorf("as the followed one: %v", exit)
	}
}

func TestStrangersChildIsLent(t *testing.T) {
	s := spawner(t)
	pid, ticks := stranger(t, nil, "sleep 1000")
	p := adopt(t, s, supervise.Record{Name: "a", Pid: pid, Ticks: ticks}, supervise.Pipes{}, supervise.Adoption{})
	own := ready(t, s, "wait")
	freeze(t, s)
	if _, pipes := p.Record(); pipes.Process == nil {
		t.Error("nothing is lent")
	} else if number, err := inherit.Number(pipes.Process); err != nil || unix.PidfdSendSignal(int(number), 0, nil, 0) != nil {
		t.Errorf("what is lent is no reference: %v", err)
	}
	if _, pipes := own.Record(); pipes.Process != nil {
		t.Error("a child of ours is lent")
	}
}

func TestLeftoversOfWhoDiedUnseenAreKilled(t *testing.T) {
	s := spawner(t)
	pid, _ := stranger(t, []string{"INVOCATION_ID=leftover"}, "sleep 1000 & wait")
	tree := append(childrenOf(t, pid, 1), pid)
	exit := await(t, adopt(t, s, supervise.Record{Name: "dead", Pid: 1 << 29, Ticks: 1, Invocation: "leftover"}, supervise.Pipes{}, supervise.Adoption{}))
	if !exit.Unknown || exit.Swept != 2 || slices.ContainsFunc(tree, proc.Alive) {
		t.Errorf("%+v", exit)
	}
}

// taken freezes the Spawner of p and lets another one in this process go on. The
// first gets nothing of p afterwards.
func taken(t testing.TB, from *supervise.Spawner, p *supervise.Process, pipesToo bool, a supervise.Adoption) *supervise.Process {
	t.Helper()
	freeze(t, from)
	r, pipes := p.Record()
	if !pipesToo {
		pipes.Stdout, pipes.Stderr = nil, nil
	}
	return adopt(t, spawner(t), r, pipes, a)
}

func TestOutputIsFoundWhereverItIs(t *testing.T) {
	for how, script := range map[string]string{
		"given":      "echo one; printf tw; read x; echo o; echo err >&2; exit 6",
		"in place":   "echo one; printf tw; read x; echo o; echo err >&2; exit 6",
		"moved":      "echo one; printf tw; exec 8>&1 9>&2 >/dev/null 2>&1; read x; echo o >&8; echo err >&9; exit 6",
		"with child": "echo one; printf tw; (sleep 0.1; echo o; echo err >&2) & exec >/dev/null 2>&1; read x; wait; exit 6",
		"over":       "echo one; printf tw; read x; echo o; echo err >&2; exec 2>&-; exit 6",
	} {
		t.Run(how, func(t *testing.T) {
			s := spawner(t)
			first := &pieces{came: make(chan struct{}, 100)}
			spec, in := shell(t, script)
			spec.Stdout = first
			p := start(t, s, spec)
			eventually(t, "all has come", func() bool { <-first.came; return strings.HasSuffix(first.String(), "tw") })
			if how == "moved" || how == "with child" {
				eventually(t, "it has moved", func() bool {
					target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", p.Pid()))
					return err == nil && target == os.DevNull
				})
			}
			out, errs := newLines(), newLines()
			q := taken(t, s, p, how == "given", supervise.Adoption{Stdout: out.sink(), Stderr: errs.sink()})
			say(t, in, "\n")
			if exit := await(t, q); exit.Code != 6 {
				t.Errorf("%v", exit)
			}
			if !slices.Equal(out.list(), []string{"two"}) || !slices.Equal(errs.list(), []string{"err"}) {
				t.Errorf("got %q and %q", out.list(), errs.list())
			}
			tail := q.Tail()
			slices.Sort(tail) // each stream comes when it comes
			if !slices.Equal(tail, []string{"err", "one", "two"}) {
				t.Errorf("the tail is %q", tail)
			}
			if first.String() != "one\ntw" {
				t.Errorf("the first one got %q", first)
			}
		})
	}
}

func TestOutputThatNobodyHasIsOver(t *testing.T) {
	s := spawner(t)
	spec, in := shell(t, "exec >&- 2>&-; read x; exit 4")
	p := start(t, s, spec)
	eventually(t, "both are over", func() bool { r := p.Identity(); return r.Stdout.Over && r.Stderr.Over })
	q := taken(t, s, p, true, supervise.Adoption{Stdout: newLines().sink()})
	say(t, in, "\n")
	if exit := await(t, q); exit.Code != 4 {
		t.Errorf("%v", exit)
	}
}

// TestFrozenAdoptionTouchesNothing: who has been adopted in a frozen Spawner can
// still be given back.
func TestFrozenAdoptionTouchesNothing(t *testing.T) {
	s := spawner(t)
	spec, in := shell(t, "printf a; read x; echo b; exit 8")
	first := &pieces{came: make(chan struct{}, 100)}
	spec.Stdout = first
	p := start(t, s, spec)
	<-first.came
	freeze(t, s)
	r, pipes := p.Record()
	say(t, in, "\n")
	eventually(t, "it is dead", func() bool { return !proc.Alive(p.Pid()) })
	second := spawner(t)
	freeze(t, second)
	out := &pieces{came: make(chan struct{}, 100)}
	q := adopt(t, second, r, pipes, supervise.Adoption{Stdout: out})
	select {
	case <-q.Done():
		t.Error("it was buried")
	case <-time.After(30 * time.Millisecond):
	}
	if out.String() != "a" || pending(t, pipes.Stdout) != 2 {
		t.Errorf("the other one has %q already", out)
	}
	// It is recorded there as it was here.
	again, _ := q.Record()
	if string(again.Stdout.Rest) != "a" || again.Exit == nil || again.Exit.Code != 8 {
		t.Errorf("%+v", again)
	}
	second.Thaw()
	if exit := await(t, q); exit.Code != 8 || out.String() != "ab\n" {
		t.Errorf("%v, %q", exit, out)
	}
}
