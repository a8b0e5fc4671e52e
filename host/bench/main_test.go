//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the command.
func TestMain(m *testing.M) {
	if code, ok := play(os.Args[1:]); ok {
		os.Exit(code)
	}
	if os.Getenv(standIn) != "" {
		main()
	}
	os.Exit(m.Run())
}

// standIn is the variable that makes the test binary the command itself.
const standIn = "BENCH_TEST_COMMAND"

// command gives the command, with its temporary files in a folder of the test.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	// Not below t.TempDir: the path of a socket must be short.
	temp, err := os.MkdirTemp("", "bt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), standIn+"=1", "TMPDIR="+temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	return cmd, temp
}

// clean fails if there is a process that works in the folder, or a file in it.
func clean(t *testing.T, temp string) {
	t.Helper()
	if pids := worksIn(temp); len(pids) > 0 {
		t.Errorf("processes %v were left behind", pids)
	}
	if list, err := os.ReadDir(temp); err != nil || len(list) > 0 {
		t.Errorf("files were left behind: %v, %v", list, err)
	}
}

// measured runs the command and reads what it prints.
func measured(t *testing.T, args ...string) document {
	t.Helper()
	cmd, temp := command(t, append([]string{"-quick", "-json"}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	clean(t, temp)
	var d document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	return d
}

// figureOf gives a figure that must have been measured.
func (d document) figureOf(t *testing.T, cell, metric, peer string) float64 {
	t.Helper()
	for _, v := range d.Values {
		if v.Cell == cell && v.Metric == metric && v.Peer == peer {
			return v.Value
		}
	}
	t.Fatalf("%s, %s of %s was not measured; remarks: %q", cell, metric, peer, d.Remarks)
	return 0
}

// TestEverythingIsMeasured runs all cells, small, with the peers that need nothing
// to be installed or built.
func TestEverythingIsMeasured(t *testing.T) {
	d := measured(t, "-peers", "raw,floor,supervise", "-only", "restart,restartgo,young,few,many,log1,log50")
	if len(d.Remarks) > 0 {
		t.Errorf("remarks: %q", d.Remarks)
	}
	for _, m := range metrics() {
		for _, peer := range []string{roleFloor, roleSupervise} {
			switch {
			case m.cell == cellCrash, m.name == "CPU of the stop":
				continue // they have no policy; they end with the stop
			case m.name == "lost lines", m.name == "double lines", m.name == "cut lines", m.name == "lost ends":
				if n := d.figureOf(t, m.cell, m.name, peer); n != 0 {
					t.Errorf("%s of %s: %v", m.name, peer, n)
				}
			case m.name == "idle CPU in 30 s", m.name == "memory a child":
				d.figureOf(t, m.cell, m.name, peer) // can be nothing
			default:
				if v := d.figureOf(t, m.cell, m.name, peer); v <= 0 {
					t.Errorf("%s, %s of %s is %v", m.cell, m.name, peer, v)
				}
			}
		}
	}
	if len(d.Verdicts) == 0 {
		t.Error("no target was judged")
	}
}

// TestAMissingPeerIsLeftOut: who has no runit gets figures all the same, and is told.
func TestAMissingPeerIsLeftOut(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	d := measured(t, "-peers", "floor,dserver,runit,s6,supervisor", "-only", "many")
	d.figureOf(t, cellMany, "start", roleFloor)
	for _, peer := range []string{"dserver", "runit", "s6", "supervisor"} {
		told := slices.ContainsFunc(d.Remarks, func(text string) bool { return strings.HasPrefix(text, peer+" is left out: ") })
		if !told {
			t.Errorf("nothing is told of %s: %q", peer, d.Remarks)
		}
	}
}

// TestNothingIsLeftBehind ends the command in the middle, in several ways.
func TestNothingIsLeftBehind(t *testing.T) {
	tests := []struct {
		name string
		end  func(guard, driver int) error
		late bool // the command ends before the last of its processes
	}{
		{"interrupt", func(guard, _ int) error { return syscall.Kill(guard, syscall.SIGINT) }, false},
		{"the driver is killed", func(_, driver int) error { return syscall.Kill(driver, syscall.SIGKILL) }, false},
		{"the guard is killed", func(guard, _ int) error { return syscall.Kill(guard, syscall.SIGKILL) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd, temp := command(t, "-peers", "floor,supervise", "-only", "restart")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			driver := awaitWork(t, temp, cmd.Process.Pid)
			if err := test.end(cmd.Process.Pid, driver); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it ended well all the same")
			}
			if test.late {
				awaitEnd(t, temp, driver)
			}
			clean(t, temp)
		})
	}
}

// awaitEnd waits until the driver has ended, and until what it has killed, which
// is nobody's child that we know, has been buried.
func awaitEnd(t *testing.T, temp string, driver int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := poll(ctx, look, func() (bool, error) {
		return len(worksIn(temp)) == 0 && !runs(driver, self(t)), nil
	}, func() string { return "the driver goes on" })
	if err != nil {
		t.Error(err)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// awaitWork waits until both supervisors have a child, and gives the driver.
func awaitWork(t *testing.T, temp string, guard int) (driver int) {
	t.Helper()
	err := poll(t.Context(), look, func() (bool, error) {
		children := 0
		for _, pid := range worksIn(temp) {
			exe, _ := os.Readlink("/proc/" + itoa(pid) + "/exe")
			if filepath.Base(exe) == "bin-tiny" {
				children++
			}
		}
		return children == 2, nil
	}, func() string { return "the children do not run" })
	if err != nil {
		t.Fatal(err)
	}
	list := childrenOf(guard)
	if len(list) == 0 {
		t.Fatal("the guard has no driver")
	}
	return list[0]
}
