//go:build linux

package reexec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// programs are the programs under test by name. Each gets what it took over, nil
// in the first image, and the error of that.
var programs = map[string]func(t *reexec.Taken, err error) error{
	"generations": generations,
	"steps":       steps,
	"refuse":      refuse,
	"garbage":     leaveGarbage,
	"forking":     execWhileForking,
	"stormed":     stormed,
	"term":        terminable,
	"flat":        manyTimes,
	"limited":     limited,
	"hangup":      hangup,
}

func TestMain(m *testing.M) {
	standIns := make(map[string]func([]string) error)
	for name, run := range programs {
		standIns[name] = func([]string) error {
			taken, _, err := reexec.Take()
			return run(taken, err)
		}
	}
	if code, is := standin.Run(standIns); is {
		os.Exit(code)
	}
	if err := inherit.CloseOnExec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(standin.Settle(code)) }))
}

// program gives a program under test, not yet started; out collects what it
// prints.
func program(t *testing.T, name string, args ...string) (cmd *exec.Cmd, out *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // 200 images on a busy machine take one
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, executable(t), args...)
	cmd.Env = standin.Environ(name)
	out = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// copyOf gives another executable with the same code.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	// While it is open for writing nothing may fork, else it seems to be so for
	// longer.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if err := os.WriteFile(other, data, 0o700); err != nil {
		t.Fatal(err)
	}
	return other
}

// run runs a program to its end and gives what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd, out := program(t, name, args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out.String()
}

// self is the image that runs this program again, with the given state.
func self(state any) (reexec.Image, error) {
	path, err := os.Executable()
	if err != nil {
		return reexec.Image{}, err
	}
	text, err := json.Marshal(state)
	return reexec.Image{Path: path, Args: os.Args, Env: os.Environ(), State: text}, err
}

// resume reads the state of the image before, if there is one.
func resume(t *reexec.Taken, err error, state any) error {
	if err != nil || t == nil {
		return err
	}
	return json.Unmarshal(t.State(), state)
}

// show prints v as one line of JSON.
func show(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// facts are what must not change for a process when nothing happens to it.
type facts struct {
	Descriptors map[string]string // number: target, and whether it is closed on exec
	Caught      string            // masks of signals
	Ignored     string
	Blocked     string
	Limit       unix.Rlimit
}

func look() (facts, error) {
	f := facts{Descriptors: make(map[string]string)}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return f, err
	}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			return f, err
		}
		flags, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0)
		if err != nil {
			continue // it was for the look itself
		}
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil {
			return f, err
		}
		f.Descriptors[entry.Name()] = fmt.Sprintf("%s closed=%t", target, flags&unix.FD_CLOEXEC != 0)
	}
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return f, err
	}
	f.Caught, f.Ignored, f.Blocked = field(status, "SigCgt"), field(status, "SigIgn"), field(status, "SigBlk")
	return f, unix.Getrlimit(unix.RLIMIT_NOFILE, &f.Limit)
}

// field gives the value of a line of /proc/PID/status.
func field(status []byte, name string) string {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (f facts) differences(other facts) error {
	var errs []error
	for number, what := range f.Descriptors {
		if other.Descriptors[number] != what {
			errs = append(errs, fmt.Errorf("descriptor %s was %q, is %q", number, what, other.Descriptors[number]))
		}
	}
	for number, what := range other.Descriptors {
		if _, ok := f.Descriptors[number]; !ok {
			errs = append(errs, fmt.Errorf("descriptor %s is new: %q", number, what))
		}
	}
	for what, pair := range map[string][2]string{
		"caught":  {f.Caught, other.Caught},
		"ignored": {f.Ignored, other.Ignored},
		"blocked": {f.Blocked, other.Blocked},
		"limit":   {fmt.Sprint(f.Limit), fmt.Sprint(other.Limit)},
	} {
		if pair[0] != pair[1] {
			errs = append(errs, fmt.Errorf("%s was %s, is %s", what, pair[0], pair[1]))
		}
	}
	return errors.Join(errs...)
}
