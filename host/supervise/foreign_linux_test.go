package supervise

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// stranger runs a shell command in a process that is no child of ours.
func stranger(t *testing.T, script string) (pid int, ref pidfd, ticks uint64) {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", "("+script+") >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		t.Fatal(err)
	}
	if ref, err = openPidfd(pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ref.close() })
	s, err := proc.ReadStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return pid, ref, s.Ticks
}

// awaitExit waits until a process has exited.
func awaitExit(ref pidfd) error {
	_, err := retry(func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(ref), Events: unix.POLLIN}}, 10_000) })
	return err
}

func TestExitStatusOfWhoIsNoChildOfOurs(t *testing.T) {
	for script, want := range map[string]syscall.WaitStatus{
		"sleep 0.05; exit 37":                            37 << 8,
		"sleep 0.05; kill -9 $(exec sh -c 'echo $PPID')": 9,
	} {
		pid, ref, ticks := stranger(t, script)
		if childOfOurs(ref) {
			t.Fatalf("%d is a child of ours", pid)
		}
		if err := awaitExit(ref); err != nil {
			t.Fatal(err)
		}
		// It is the same before and after whoever has to reaps it.
		for range 5 {
			status, known, _ := foreignStatus(ref, pid, ticks)
			if !known || status != want {
				t.Errorf("%q: status %#x, known %t", script, status, known)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func TestExitStatusSurvivesTheReaper(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit 41")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	ref, err := openPidfd(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer ref.close()
	s, err := proc.ReadStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := awaitExit(ref); err != nil {
		t.Fatal(err)
	}
	if !childOfOurs(ref) {
		t.Error("a dead child is not ours")
	}
	if status, known, gone := foreignStatus(ref, pid, s.Ticks); !known || !gone || status.ExitStatus() != 41 {
		t.Errorf("a zombie: %#x, known %t, gone %t", status, known, gone)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it exited with 0")
	}
	if childOfOurs(ref) {
		t.Error("a child that was reaped is ours")
	}
	status, known, gone := foreignStatus(ref, pid, s.Ticks)
	if !gone {
		t.Error("it was reaped, and there is hope still")
	}
	if !known {
		t.Skip("this system does not keep the status of who was reaped")
	}
	if status.ExitStatus() != 41 {
		t.Errorf("after it was reaped: %#x", status)
	}
}

func TestStrangersStatusIsNotTaken(t *testing.T) {
	pid, ref, ticks := stranger(t, "sleep 0.05; exit 5")
	if err := awaitExit(ref); err != nil {
		t.Fatal(err)
	}
	// Somebody else has the number now, as far as the look at it tells.
	status, known, _ := foreignStatus(ref, pid, ticks+1)
	if _, hasInfo := ref.exitInfo(); known && !hasInfo {
		t.Errorf("status %#x of a stranger", status)
	}
	if bootID() == "" {
		t.Error("this run of the system has no name")
	}
	if _, err := os.Stat("/proc/self/ns/pid"); err == nil && !mayLook(unix.Getpid()) {
		t.Error("we may not look at ourselves")
	}
}
