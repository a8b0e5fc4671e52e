package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/proc"
)

// ready starts a stand-in and waits for its first line.
func ready(t *testing.T, s *supervise.Spawner, name string, args ...string) *supervise.Process {
	t.Helper()
	out := newLines()
	spec := child(t, name, args...)
	spec.Stdout = out.sink()
	p := start(t, s, spec)
	out.next(t)
	return p
}

func TestStopAsksFirst(t *testing.T) {
	p := ready(t, spawner(t), "wait")
	report, err := p.Stop(t.Context(), nil)
	if err != nil || report.Exit.Code != 7 || report.Killed() || !slices.Equal(report.Sent, []syscall.Signal{syscall.SIGTERM}) {
		t.Errorf("%+v, %v", report, err)
	}
	again, err := p.Stop(t.Context(), nil)
	if err != nil || again.Exit.Code != 7 || len(again.Sent) != 0 || again.Killed() {
		t.Errorf("a second stop: %+v, %v", again, err)
	}
	for _, err := range []error{p.Signal(syscall.SIGTERM), p.Kill()} {
		if !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("after the end: %v", err)
		}
	}
}

func TestStopGoesDownTheLadder(t *testing.T) {
	p := ready(t, spawner(t), "stubborn")
	ladder := supervise.Ladder{{Signal: syscall.SIGINT, Wait: time.Millisecond}, {Signal: syscall.SIGTERM, Wait: time.Millisecond}}
	report, err := p.Stop(t.Context(), ladder)
	if err != nil || report.Exit.Signal != syscall.SIGKILL || !report.Killed() ||
		!slices.Equal(report.Sent, []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}) {
		t.Errorf("%+v, %v", report, err)
	}
	if report.Took < 2*time.Millisecond {
		t.Errorf("took only %v", report.Took)
	}
}

// A signal is for the process, SIGKILL for its whole tree; a rung takes until the
// tree has gone.
func TestRungsAndTrees(t *testing.T) {
	everywhere(t, func(t *testing.T, at place) {
		out := newLines()
		spec := program("/bin/sh", "-c", `
			trap 'echo told; [ $stubborn ] || exit 7' TERM
			sh -c 'trap "echo child told" TERM; echo child; while :; do sleep 1000; done' &
			while :; do wait; done`)
		spec.Stdout, spec.Group, spec.Env = out.sink(), at.group(t, "rungs"), os.Environ()
		ladder := supervise.Ladder{{Signal: syscall.SIGTERM, Wait: 20 * time.Second}}
		hear := func(ctx context.Context) error { // or it may be killed before it says a word
			select {
			case <-out.told:
			case <-ctx.Done():
			}
			return errors.New("it was told and goes on")
		}
		for _, stubborn := range []bool{false, true} {
			if stubborn {
				spec.Env = append(spec.Env, "stubborn=yes")
				ladder[0].Wait = 20 * time.Millisecond
				ladder = append(ladder, supervise.Rung{Run: hear, Wait: 20 * time.Second})
			}
			p := start(t, at.Spawner, spec)
			if got := out.next(t); got != "child" {
				t.Fatalf("the first line is %q", got)
			}
			report, err := p.Stop(t.Context(), ladder)
			if err != nil || report.Killed() != stubborn || report.Exit.Code != 7 && !stubborn {
				t.Errorf("stubborn %t: %+v, %v", stubborn, report, err)
			}
			if stubborn {
				continue
			}
			if got := out.next(t); got != "told" {
				t.Errorf("it said %q", got)
			}
			if report.Exit.Swept == 0 {
				t.Error("the rest of the tree has not been killed")
			}
		}
		if got := out.list(); !slices.Equal(got, []string{"child", "told", "child", "told"}) {
			t.Errorf("said was %q", got)
		}
	})
}

func TestRungMayBeACommand(t *testing.T) {
	s := spawner(t)
	p := ready(t, s, "stubborn")
	command := func(ctx context.Context) error {
		c, err := s.Start(program("/bin/kill", "-9", strconv.Itoa(p.Pid())))
		if err != nil {
			return err
		}
		<-c.Done()
		return nil
	}
	report, err := p.Stop(t.Context(), supervise.Ladder{{Run: command, Wait: time.Hour}})
	if err != nil || report.Exit.Signal != syscall.SIGKILL || len(report.Sent) != 0 || len(report.Errs) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestFailedCommandIsFollowedAtOnce(t *testing.T) {
	p := ready(t, spawner(t), "wait")
	reason := errors.New("it is broken")
	report, err := p.Stop(t.Context(), supervise.Ladder{
		{Run: func(context.Context) error { return reason }, Wait: time.Hour},
		{Signal: syscall.SIGTERM, Wait: time.Hour},
	})
	if err != nil || report.Exit.Code != 7 || !slices.Equal(report.Errs, []error{reason}) {
		t.Errorf("%+v, %v", report, err)
	}
}

// What a command does, or does not, cannot keep a process from being killed.
func TestHangingCommandIsLeftBehind(t *testing.T) {
	p := ready(t, spawner(t), "stubborn")
	release, told := make(chan struct{}), make(chan struct{})
	defer close(release)
	report, err := p.Stop(t.Context(), supervise.Ladder{{Wait: 10 * time.Millisecond, Run: func(ctx context.Context) error {
		<-ctx.Done()
		close(told)
		<-release
		return ctx.Err()
	}}})
	if err != nil || !report.Killed() {
		t.Errorf("%+v, %v", report, err)
	}
	select {
	case <-told:
	case <-time.After(20 * time.Second):
		t.Error("the command was not told")
	}
}

func TestSecondStopCutsTheFirstShort(t *testing.T) {
	p := ready(t, spawner(t), "stubborn")
	first := make(chan supervise.StopReport, 1)
	began := make(chan struct{})
	go func() {
		close(began)
		report, err := p.Stop(context.Background(), supervise.Ladder{{Signal: syscall.SIGTERM, Wait: time.Hour}})
		if err != nil {
			t.Error(err)
		}
		first <- report
	}()
	<-began
	if report, err := p.Stop(stopped(), nil); err != nil || !report.Killed() || len(report.Sent) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if report := <-first; report.Exit.Signal != syscall.SIGKILL || report.Killed() {
		t.Errorf("the first stop: %+v", report)
	}
}

func TestFrozenProcessCanBeStopped(t *testing.T) {
	p := ready(t, spawner(t), "wait")
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	report, err := p.Stop(t.Context(), supervise.Ladder{{Signal: syscall.SIGTERM, Wait: time.Millisecond}})
	if err != nil || !report.Killed() {
		t.Errorf("%+v, %v", report, err)
	}
}

// leave starts a process with two children and gives their pids.
func leave(t *testing.T, s *supervise.Spawner, how string) (*supervise.Process, []int) {
	t.Helper()
	out := newLines()
	spec := child(t, "leave", how)
	spec.Stdout = out.sink()
	p := start(t, s, spec)
	var pids []int
	for range 2 {
		pid, err := strconv.Atoi(out.next(t))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return p, pids
}

func TestNothingOfItsSessionOutlivesAProcess(t *testing.T) {
	s := spawner(t)
	for how, end := range map[string]func(*supervise.Process) error{
		"exit":  func(*supervise.Process) error { return nil },
		"crash": func(p *supervise.Process) error { return p.Signal(syscall.SIGKILL) },
		"kill":  (*supervise.Process).Kill,
		"stop": func(p *supervise.Process) error {
			_, err := p.Stop(context.Background(), nil)
			return err
		},
	} {
		t.Run(how, func(t *testing.T) {
			p, pids := leave(t, s, how)
			if err := end(p); err != nil {
				t.Fatal(err)
			}
			exit := await(t, p)
			for _, pid := range pids {
				if proc.Alive(pid) {
					t.Errorf("%d is alive", pid)
				}
			}
			// A whole group is killed by one signal; who is gone at once need not be swept.
			if exit.Swept > 2 || len(exit.Left) != 0 || how == "exit" && exit.Swept != 2 {
				t.Errorf("%+v", exit)
			}
		})
	}
}

func TestWhoHoldsTheOutputIsKilledInAnySession(t *testing.T) {
	s := spawner(t)
	for range 5 {
		out := newLines()
		spec := child(t, "hold")
		spec.Stdout = out.sink()
		p := start(t, s, spec)
		exit := await(t, p)
		if !exit.Success() || exit.Swept != 1 || len(exit.Left) != 0 || len(out.list()) != 1 {
			t.Fatalf("%+v, output %q", exit, out.list())
		}
		holder, err := strconv.Atoi(out.list()[0])
		if err != nil {
			t.Fatal(err)
		}
		if proc.Alive(holder) {
			t.Error("the process in another session is alive")
		}
	}
}

// Whoever holds the output of a process that was killed keeps nobody waiting: the
// best of many tries counts, because the machine may be busy.
func TestHeirsOfAKilledProcessAreGoneSoon(t *testing.T) {
	everywhere(t, func(t *testing.T, at place) {
		group := at.group(t, "heirs")
		best := time.Hour
		for try := 0; try < 3 || try < 50 && best > 100*time.Millisecond; try++ {
			out := newLines()
			spec := program("/bin/sh", "-c", "sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &) ; echo ready; wait")
			spec.Stdout, spec.Group = out.sink(), group
			p := start(t, at.Spawner, spec)
			out.next(t)
			began := time.Now()
			if err := p.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if exit := await(t, p); exit.Signal != syscall.SIGKILL || len(exit.Left) > 0 {
				t.Fatalf("%+v", exit)
			}
			best = min(best, time.Since(began))
		}
		if best > 100*time.Millisecond {
			t.Errorf("it took %v", best)
		}
	})
}

func TestAllOutputArrivesBeforeDone(t *testing.T) {
	const count = 100_000
	out, errs := newLines(), newLines()
	spec := child(t, "lines", strconv.Itoa(count))
	spec.Stdout, spec.Stderr = out.sink(), errs.sink()
	p := start(t, spawner(t), spec)
	await(t, p)
	for _, l := range []*lines{out, errs} {
		got := l.list()
		if len(got) != count {
			t.Fatalf("%d lines, want %d", len(got), count)
		}
		for i, line := range got {
			if want := fmt.Sprintf("line %d", i); line != want {
				t.Fatalf("line %d is %q", i, line)
			}
		}
	}
	if tail := p.Tail(); len(tail) != 50 || tail[49] != fmt.Sprintf("line %d", count-1) {
		t.Errorf("tail is %q", tail)
	}
}

func TestTailTellsWhyAProcessFailed(t *testing.T) {
	spec := child(t, "no such")
	p := start(t, spawner(t), spec)
	if exit := await(t, p); exit.Code != 99 {
		t.Errorf("%v", exit)
	}
	if got := p.Tail(); !slices.Equal(got, []string{"no such stand-in: no such"}) {
		t.Errorf("got %q", got)
	}
}

func TestSlowSinkHoldsTheProcessBack(t *testing.T) {
	release := make(chan struct{})
	var got strings.Builder
	spec := supervise.Spec{Name: "zeros", Path: "/usr/bin/head", Args: []string{"head", "-c", "3000000", "/dev/zero"}}
	spec.Stdout = supervise.EachLine(func(line []byte, _ bool) {
		<-release
		got.Write(line)
	})
	p := start(t, spawner(t), spec)
	select {
	case <-p.Done():
		t.Error("the process ended before its output was taken")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if exit := await(t, p); !exit.Success() || got.Len() != 3_000_000 {
		t.Errorf("%v, %d bytes", exit, got.Len())
	}
}

func TestChildOutlivesItsMaster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	told, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	// The survivor is in a session of its own, so it is not swept with its master.
	if exit := await(t, start(t, spawner(t), child(t, "master", path))); exit.Signal != syscall.SIGKILL {
		t.Fatal(exit)
	}
	if err := told.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, len("alive"))
	if _, err := io.ReadFull(told, text); err != nil || string(text) != "alive" {
		t.Errorf("the child cannot write any more: %q, %v", text, err)
	}
}
