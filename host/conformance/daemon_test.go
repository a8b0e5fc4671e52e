package conformance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

// TestDaemonThatFails: exit code 1, why, and the last output lines; nothing left.
func TestDaemonThatFails(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		for _, c := range []struct {
			fault string
			says  []string
		}{
			{"exit", []string{"error: cannot start app: ", "exit status 3", "  | faulty says goodbye", "  | faulty ends at once"}},
			{"error", []string{"error: cannot start app: ", `cannot start sandbox "faulty": failing as told`}},
			{"panic", []string{"error: cannot start app: ", "panic: as told"}},
			{"never-ready", []string{"error: cannot start app: ", "not ready in time (ready_timeout 2s)", "faulty"}},
		} {
			in.Configure(hosttest.Settings{Fault: c.fault, ReadyTimeout: 2 * time.Second})
			got := in.Command(in.Binary, "start", "-d")
			if got.Code != 1 {
				t.Errorf("%s: %v\nwant exit code 1", c.fault, got)
			}
			for _, says := range c.says {
				if !strings.Contains(got.Stderr, says) {
					t.Errorf("%s: it does not say %q:\n%s", c.fault, says, got.Stderr)
				}
			}
			if c.fault == "exit" && in.Mode == "single" {
				// The process that ended is the one that would have cleaned up: the
				// next start does.
				waitFor(t, "the end", func() bool { return !in.Running() && len(in.Processes()) == 0 })
				continue
			}
			in.AssertGone()
		}
	})
}

// TestDaemonThatTakesTooLong: exit code 4, and nothing left.
func TestDaemonThatTakesTooLong(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(hosttest.Settings{Fault: "slow-ready", After: time.Minute})
		for _, flags := range [][]string{{"-d"}, {}} {
			began := time.Now()
			got := in.Command(in.Binary, "start", append(flags, "--timeout", "2s")...)
			if got.Code != 4 || !strings.Contains(got.Stderr, "not ready within 2s") || !strings.Contains(got.Stderr, "faulty") {
				t.Errorf("start %v: %v\nwant exit code 4, the limit and who is late", flags, got)
			}
			if n := strings.Count(got.Stderr, "error: cannot start app: timed out"); n != 1 && len(flags) == 0 {
				t.Errorf("start %v says it %d times:\n%s", flags, n, got.Stderr)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("start %v took %v", flags, took)
			}
			in.AssertGone()
		}
		if got := in.Run("status"); got.Code != 3 {
			t.Errorf("status: %v\nwant exit code 3", got)
		}
	})
}

// TestDaemonIsOnItsOwn: own session, own folder, stdio in the log.
func TestDaemonIsOnItsOwn(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		in.MustReload(hosttest.Build{Label: "second"}) // it holds for the successor too
		pid := in.Info().Pid
		if here, its := session(t, os.Getpid()), session(t, pid); its == here {
			t.Errorf("it is in the session of who started it")
		}
		proc := "/proc/" + itoa(pid)
		if cwd, err := os.Readlink(proc + "/cwd"); err != nil || cwd != in.Folder {
			t.Errorf("it works in %s, %v; want the folder of its configuration", cwd, err)
		}
		for fd, want := range map[string]string{"0": os.DevNull, "1": in.Log, "2": in.Log} {
			if got, err := os.Readlink(filepath.Join(proc, "fd", fd)); err != nil || got != want {
				t.Errorf("descriptor %s is %s, %v; want %s", fd, got, err, want)
			}
		}
		for name, mode := range map[string]os.FileMode{"": 0o700, "ctl.sock": 0o600, "pid": 0o600, "lock": 0o600, "state.json": 0o600} {
			info, err := os.Lstat(filepath.Join(ownFolder(in), name))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v, %v; want %v", info.Name(), info.Mode().Perm(), err, mode)
			}
		}
	})
}

func session(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.Fields(rest)[3]
}

// TestStopsAtTheSameTime: many stops at once all end well, and nothing is left.
func TestStopsAtTheSameTime(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		request := hold(t, in)
		var stops []*process
		for range 5 {
			stops = append(stops, begin(t, in, in.Binary, "stop"))
		}
		waitFor(t, "the stop", func() bool {
			info, err := in.Client.Info(context.WithoutCancel(t.Context()))
			return err != nil || info.State == "stopping"
		})
		request.release()
		for _, p := range stops {
			if code := p.wait(); code != 0 && code != 3 {
				t.Errorf("a stop ends with code %d:\n%s", code, p.out.String())
			}
		}
		in.AssertGone()
	})
}

// TestManyStartsAtOnce: one wins, the others are told who.
func TestManyStartsAtOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, in *hosttest.Instance) {
		var starts []*process
		for range 6 {
			starts = append(starts, begin(t, in, in.Binary, "start", "-d"))
		}
		won := 0
		for _, p := range starts {
			switch code := p.wait(); code {
			case 0:
				won++
			case 1:
				if !strings.Contains(p.out.String(), "running already") {
					t.Errorf("a start that lost says\n%s", p.out.String())
				}
			default:
				t.Errorf("a start ends with code %d:\n%s", code, p.out.String())
			}
		}
		if won != 1 {
			t.Errorf("%d starts went well", won)
		}
		if got := in.Run("status"); got.Code != 0 {
			t.Error(got)
		}
	})
}
