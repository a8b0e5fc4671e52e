package hosttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/proc"
)

// withEssential configures a program without which the master is of no use, and
// one that writes down that it was stopped gently.
func withEssential(command, more string) hosttest.Settings {
	return hosttest.Settings{Extra: fmt.Sprintf(`
[program.main]
command   = ["sh", "-c", %q]
essential = true
needs     = ["side"]
%s
[program.side]
command = ["sh", "-c", "trap 'echo gently > side.end; exit 0' TERM; echo up; while :; do sleep 0.02; done"]
ready   = "log:up"
`, command, more)}
}

// The master ends with an essential program, gently, and with its exit code.
func TestEssentialProgramEndsTheMaster(t *testing.T) {
	for _, tt := range []struct {
		name, command, more string
		code                int
	}{
		{"exit-code", "sleep 0.2; exit 5", `restart = "no"`, 5},
		{"success", "sleep 0.2", "", 0},
		{"expected-code", "sleep 0.2; exit 3", "exit_codes = [3]", 3},
		{"signal", "sleep 0.2; kill -KILL $$", `restart = "no"`, 128 + 9},
		{"given-up", "exit 6", "start_limit = 3", 6},
		{"at-once", "exit 7", `restart = "no"`, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
				in.Configure(withEssential(tt.command, tt.more))
				r := in.Command(in.Binary, "start")
				if r.Code != tt.code {
					t.Errorf("it ended with %d, want %d: %v", r.Code, tt.code, r)
				}
				if got := in.Read("side.end"); got != "gently\n" {
					t.Errorf("the other program was not stopped gently: %q", got)
				}
				in.AssertGone()
			})
		})
	}
}

// The stop of an essential program by somebody is no reason to end.
func TestStopOfAnEssentialProgramEndsNothing(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(withEssential("exec sleep 1000", ""))
		in.Start()
		for _, verb := range []string{"stop", "start", "restart", "reload"} {
			mustRun(t, in, verb, "main")
		}
		if info := in.Info(); info.State != "running" {
			t.Errorf("the master is %s", info.State)
		}
	})
}

// inNamespace is a start in the foreground as process 1 of a namespace of its own.
type inNamespace struct {
	t      *testing.T
	in     *hosttest.Instance
	cmd    *exec.Cmd
	output bytes.Buffer
	init   int // process 1 as it is called outside
}

// startInNamespace skips the test where that is not allowed.
func startInNamespace(t *testing.T, in *hosttest.Instance) *inNamespace {
	t.Helper()
	unshare := tool(t, "unshare")
	flags := []string{"--pid", "--fork", "--mount-proc"}
	if out, err := exec.Command(unshare, append(flags, "true")...).CombinedOutput(); err != nil {
		t.Skipf("a namespace for processes cannot be made here: %v %s", err, out)
	}
	n := &inNamespace{t: t, in: in, cmd: in.Prepare(context.WithoutCancel(t.Context()), "start")}
	n.cmd.Args = append(append([]string{unshare}, flags...), n.cmd.Args...)
	n.cmd.Path = unshare
	n.cmd.Stdout, n.cmd.Stderr = &n.output, &n.output
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	in.Until("the instance to run", func() bool { return in.Running() && in.State() == "running" })
	for _, pid := range proc.Children(n.cmd.Process.Pid) {
		n.init = pid
	}
	if n.init == 0 {
		t.Fatal("there is no process 1")
	}
	return n
}

// kill ends what is left if the test has failed: with process 1 all go.
func (n *inNamespace) kill() {
	if n.cmd.ProcessState == nil && n.init != 0 {
		_ = syscall.Kill(n.init, syscall.SIGKILL) // it may just have ended
	}
}

// wait gives the exit code.
func (n *inNamespace) wait() int {
	n.t.Helper()
	done := make(chan error, 1)
	waiter := group.New(context.WithoutCancel(n.t.Context()), nil)
	waiter.Go("wait", func(context.Context) { done <- n.cmd.Wait() }) // at the end of the test it is killed
	select {
	case err := <-done:
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			n.t.Fatal(err)
		}
	case <-time.After(time.Minute):
		n.t.Fatal("it does not end")
	}
	return n.cmd.ProcessState.ExitCode()
}

func (n *inNamespace) signal(s syscall.Signal) {
	n.t.Helper()
	if err := syscall.Kill(n.init, s); err != nil {
		n.t.Fatal(err)
	}
}

// As the first process of a container it obeys signals and ends with the exit code
// of the essential program.
func TestAsProcessOne(t *testing.T) {
	hosttest.EachSupervisor(t, func(t *testing.T, in *hosttest.Instance) {
		in.Configure(withEssential("trap 'exit 9' USR1; echo up; while :; do sleep 0.02; done", "ready = \"log:up\"\nexit_codes = [9]"))
		n := startInNamespace(t, in)
		n.signal(syscall.SIGHUP)
		in.Until("a reload", func() bool { return in.State() == "running" && in.Info().Reloads.Done == 1 })
		mustRun(t, in, "upgrade")
		mustRun(t, in, "signal", "main", "USR1")
		if code := n.wait(); code != 9 {
			t.Errorf("it ended with %d, want the 9 of the program\n%s", code, n.output.String())
		}
		in.AssertGone()
		n = startInNamespace(t, in)
		n.signal(syscall.SIGTERM)
		if code := n.wait(); code != 0 {
			t.Errorf("stopped, it ended with %d\n%s", code, n.output.String())
		}
		if got := in.Read("side.end"); got != "gently\n" {
			t.Errorf("a program was not stopped gently: %q", got)
		}
		in.AssertGone()
	})
}
