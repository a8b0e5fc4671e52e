package conformance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
)

// instanceMark is how hosttest finds the processes of an instance.
const instanceMark = "HOSTTEST_INSTANCE"

// patience is how long anything may take that has no limit of its own.
const patience = 30 * time.Second

// process is a verb that runs on while the test does other things.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out buffer // both streams

	ended chan struct{}
	once  sync.Once
}

// buffer is written by one goroutine and read by others.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// begin starts a verb for an instance and leaves it running, in a session of its
// own without a terminal. It is killed at the end of the test if it has not ended.
func begin(t *testing.T, in *hosttest.Instance, program string, args ...string) *process {
	t.Helper()
	return beginInto(t, in, nil, program, args...)
}

// beginInto is begin with a file for the output.
func beginInto(t *testing.T, in *hosttest.Instance, out *os.File, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, append(args, global(in)...)...), ended: make(chan struct{})}
	p.cmd.Dir = in.Folder
	p.cmd.Env = append(os.Environ(), instanceMark+"="+in.Folder)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if out != nil {
		p.cmd.Stdout, p.cmd.Stderr = out, out
	}
	p.start()
	return p
}

// global are the flags that say which instance is meant.
func global(in *hosttest.Instance) []string {
	return []string{"--config", in.Config, "--runtime-dir", runtimeFolder(in)}
}

func (p *process) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { // ends with the process, which the cleanup waits for
		_ = p.cmd.Wait() // the exit code says it
		close(p.ended)
	}()
	p.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, mostly
		<-p.ended
	})
}

// says waits until the process has printed a text.
func (p *process) says(text string) {
	p.t.Helper()
	waitFor(p.t, "the text "+text, func() bool { return strings.Contains(p.out.String(), text) || p.hasEnded() })
	if !strings.Contains(p.out.String(), text) {
		p.t.Fatalf("it ended without saying %q:\n%s", text, p.out.String())
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait gives the exit code, or 128 and the signal that ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("process %d does not end:\n%s", p.cmd.Process.Pid, p.out.String())
	}
	return exitCodeOf(p.cmd.ProcessState)
}

func exitCodeOf(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

// waitFor waits until a condition holds that nobody can tell about.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !within(patience, condition) {
		t.Fatalf("waited in vain for %s", what)
	}
}

// within tells whether a condition comes to hold in time.
func within(limit time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(limit)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		<-look.C
	}
	return true
}

// alive tells whether a process runs; one that waits to be reaped does not.
func alive(pid int) bool {
	state := processState(pid)
	return state != 0 && state != 'Z' && state != 'X'
}

// processState is the kernel's letter for it; 0 if there is no such process.
func processState(pid int) byte {
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	if len(rest) == 0 {
		return 0
	}
	return rest[0]
}

// kill sends a signal to a process that must exist.
func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("pid %d is none", pid)
	}
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("cannot signal %d: %v", pid, err)
	}
}

// oneVerb runs a verb to its end with a limit of its own and no instance of which
// it would be one.
func oneVerb(t *testing.T, dir string, env []string, program string, args ...string) hosttest.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || cmd.ProcessState.ExitCode() < 0) {
		t.Fatalf("cannot run %v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return hosttest.Result{Code: cmd.ProcessState.ExitCode(), Stdout: out.String(), Stderr: errs.String()}
}

// shortFolder is a folder in which the path of a unix socket is not too long, as
// it may be in that of the test.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "ht")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}
