//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestLinesHaveTheirSize(t *testing.T) {
	for _, line := range [][]byte{appendLine(nil, 0, 0), appendLine([]byte{}, 999, 99_999_999)} {
		if len(line) != lineSize-1 || !bytes.HasSuffix(line, []byte(lineTail)) {
			t.Errorf("%q has %d bytes", line, len(line))
		}
	}
}

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	line := func(i int) string { return string(appendLine(nil, 1, i)) }
	all := func(lines ...string) string { return strings.Join(lines, "\n") }
	const other = "12:00:00 master log <nil> is > than 3\n"
	tests := []struct {
		name, log string
		want      tally
	}{
		{"all", all(line(0), line(1), line(2)), tally{ends: 1}},
		{"with text before, and other lines", other + all("12:00 w out "+line(0), "12:01 w out "+line(1), other+line(2)), tally{ends: 1}},
		{"in another order", all(line(2), line(0), line(1), ""), tally{ends: 1}},
		{"one lost", all(line(0), line(2)), tally{lost: 1, ends: 1}},
		{"the end lost", all(line(0), line(1), ""), tally{}},
		{"one twice", all(line(0), line(1), line(1), line(2)), tally{double: 1, ends: 1}},
		{"cut in two", all(line(0), line(1)[:40], line(1)[40:], line(2)), tally{lost: 1, cut: 2, ends: 1}},
		{"two in one", all(line(0)+line(1), line(2)), tally{lost: 2, cut: 1, ends: 1}},
		{"changed", all(line(0), strings.Replace(line(1), "fox", "cat", 1), line(2)), tally{lost: 1, cut: 1, ends: 1}},
		{"of a writer that is none", all(line(0), line(1), line(2), string(appendLine(nil, 7, 0))), tally{cut: 1, ends: 1}},
		{"nothing", "", tally{lost: 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "log"), []byte(test.log), 0o600); err != nil {
				t.Fatal(err)
			}
			c := newChecker(2, 3)
			for i := range 3 {
				c.seen[0][i] = true
			}
			got, err := c.check(dir)
			got.ends-- // of writer 0
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestTheTinyChildDoesWhatTheOtherDoes(t *testing.T) {
	program := tinyChild()
	if program == nil {
		t.Skip("there is none for this kind of machine")
	}
	path := filepath.Join(t.TempDir(), "child")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	// The kernel takes the end of the thread for the end of the parent.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, args := range map[string][]string{"tiny": {path}, "go": {"/proc/self/exe", roleChild}} {
		reg, err := newRegister(filepath.Join(t.TempDir(), "births"))
		if err != nil {
			t.Fatal(err)
		}
		before := monotonic()
		failing := exec.Command(args[0], append(args[1:], string(reg), "fail")...)
		if err := failing.Run(); failing.ProcessState.ExitCode() != 1 {
			t.Errorf("%s: told to fail it ended with %v", name, err)
		}
		waiting := exec.Command(args[0], append(args[1:], string(reg))...)
		waiting.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := waiting.Start(); err != nil {
			t.Fatal(err)
		}
		if err := reg.await(t.Context(), 2); err != nil {
			t.Error(err)
		}
		if err := waiting.Process.Kill(); err != nil {
			t.Errorf("%s: it does not wait: %v", name, err)
		}
		_ = waiting.Wait()
		born, err := reg.births(0)
		if err != nil || len(born) != 2 {
			t.Fatalf("%s: births %v, %v", name, born, err)
		}
		if born[0].pid != failing.Process.Pid || born[1].pid != waiting.Process.Pid {
			t.Errorf("%s: births %v of %d and %d", name, born, failing.Process.Pid, waiting.Process.Pid)
		}
		if born[0].at < before || born[1].at < born[0].at || born[1].at > monotonic() {
			t.Errorf("%s: born at %v and %v, begun at %v", name, born[0].at, born[1].at, before)
		}
	}
}

func TestAwaitTellsHowFarItCame(t *testing.T) {
	reg, err := newRegister(filepath.Join(t.TempDir(), "births"))
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.enter(birth{time.Second, 7}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := reg.await(ctx, 2); err == nil || !strings.Contains(err.Error(), "1 of 2 children have started") {
		t.Error(err)
	}
}

func TestFiguresAreReduced(t *testing.T) {
	one, many := []float64{5}, []float64{1, 2, 3, 10}
	hundred := make([]float64, 200)
	for i := range hundred {
		hundred[i] = float64(i)
	}
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"median of one", median(one), 5},
		{"median", median(many), 2.5},
		{"p99 of few is the highest", high(many), 10},
		{"p99", high(hundred), 197},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestTargetsAreJudged(t *testing.T) {
	for _, t0 := range targets() {
		find(t0.cell, t0.name) // panics on a name that is none
	}
	r := newResults()
	r.add(cellMany, roleFloor, "start", 1)
	r.add(cellMany, peerDserver, "start", 1.3)
	r.add(cellMany, roleSupervise, "start", 1.4)
	r.add(cellOneLog, roleRaw, "rate", 100)
	r.add(cellOneLog, peerDserver, "rate", 70)
	r.text(cellCrash, peerDserver, "end state", "fatal")
	got := make(map[string]bool)
	for _, v := range verdicts(r) {
		got[v.Cell+" "+v.Metric+" "+v.Peer] = v.Pass
	}
	want := map[string]bool{
		"many start dserver": true, "many start supervise": false, "log1 rate dserver": false, "crash end state dserver": true,
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for name, pass := range want {
		if got[name] != pass {
			t.Errorf("%s: %v", name, got[name])
		}
	}
	if !math.IsNaN(r.ratio(find(cellMany, "start"), roleFloor)) {
		t.Error("the floor is compared with itself")
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, args := range [][]string{
		{"-only", "nothing"}, {"-peers", "floor,nobody"}, {"-child", "huge"}, {"more"}, {"-rounds", "x"}, {"-no-such"},
	} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	o, err := parseOptions([]string{"-only", "few,restart", "-peers", "dserver,raw"}, io.Discard)
	if err != nil || strings.Join(o.only, " ") != "restart few" || strings.Join(o.peers, " ") != "raw dserver" {
		t.Errorf("got %v, %v, %v", o.only, o.peers, err)
	}
}
