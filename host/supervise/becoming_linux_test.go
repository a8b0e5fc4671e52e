package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// becomer runs a program of ours that becomes itself again and again, and gives its
// number. It is in a session of its own, so that only its environment tells whose
// it is.
func becomer(t *testing.T, invocation string) int {
	t.Helper()
	script := filepath.Join(t.TempDir(), "again")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec \"$0\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script)
	cmd.Env = []string{invocationName + "=" + invocation}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// Who becomes another program has no environment for a moment, and may have one
// again by the next look: it is ours, or there is a doubt.
func TestWhoIsBecomingIsOursOrDoubted(t *testing.T) {
	const invocation = "0123456789abcdef0123456789abcdef"
	pid := becomer(t, invocation)
	ours := &funeral{process: new(Process)}
	found, doubted := 0, 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		l := &lineage{ids: map[string]*funeral{invocation: ours}, dead: make(map[int]uint64)}
		switch f := l.origin(pid); {
		case f == ours:
			found++
		case l.doubt:
			doubted++
		default:
			t.Fatalf("it was found %d times and doubted %d times, and is a stranger", found, doubted)
		}
	}
	t.Logf("found %d times, doubted %d times", found, doubted)
}

// A master that comes after a crash finds it, too.
func TestWhoIsBecomingIsFoundByItsMark(t *testing.T) {
	const mark = "0123456789abcdef"
	pid := becomer(t, mark+mark)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		l := markSearch{mark: mark}
		if l.look(pid) && len(l.found) == 0 {
			t.Fatal("it is a stranger")
		}
	}
}
