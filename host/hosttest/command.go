package hosttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// mark is the variable by which processes of an instance, and whatever they start,
// are found again; its value is the instance's folder.
const mark = "HOSTTEST_INSTANCE"

// Result is what a command did.
type Result struct {
	Code   int
	Stdout string
	Stderr string
}

// String is for failure messages.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
}

// Run carries out a verb for this instance in a process of its own, with a build
// that is not replaced. It fails the test if the verb cannot be run at all.
func (in *Instance) Run(verb string, args ...string) Result {
	in.tb.Helper()
	return in.Command(in.pristine, verb, args...)
}

// Command is Run with a program of choice.
func (in *Instance) Command(program, verb string, args ...string) Result {
	in.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(in.tb.Context()), patience)
	defer cancel()
	result, err := finish(in.command(ctx, program, verb, args...))
	if err != nil {
		in.tb.Fatalf("cannot run %s: %v", verb, err)
	}
	return result
}

// Prepare gives the command for a verb with the build that may be replaced, for
// tests that start it in their own way. The end of ctx kills it.
func (in *Instance) Prepare(ctx context.Context, verb string, args ...string) *exec.Cmd {
	return in.command(ctx, in.Binary, verb, args...)
}

// command is a verb that is not started yet.
func (in *Instance) command(ctx context.Context, program, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append([]string{verb, "--config", in.Config, "--runtime-dir", in.runtime}, args...)...)
	cmd.Dir = in.Folder
	// Built with the race detector, every process would wait a second at its end.
	cmd.Env = append(os.Environ(), mark+"="+in.Folder, "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, in.Env...)
	// A session of its own: a key pressed in the terminal of the tests is not
	// meant for it, nor does it find a terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func finish(cmd *exec.Cmd) (Result, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := Result{Code: cmd.ProcessState.ExitCode(), Stdout: out.String(), Stderr: errs.String()}
	var ended *exec.ExitError
	if errors.As(err, &ended) && r.Code >= 0 {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, strings.TrimSpace(r.Stdout+r.Stderr))
	}
	return r, err
}
