package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
)

// fatalLimit is how long an on_fatal command may take.
const fatalLimit = time.Minute

// preStart runs what comes before a process. It belongs to the start: it may take
// as long, and its failure is that of the start.
func (p *program) preStart(ctx context.Context, r *run, base supervise.Spec) error {
	if len(r.def.PreStart) == 0 {
		return nil
	}
	limit := r.unit.startTimeout(r)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	return p.command(ctx, r, "pre_start", r.def.PreStart, base)
}

// afterwards implements surroundings.
func (p *program) afterwards(r *run, def *config.Program) {
	if len(def.PostStop) == 0 {
		return
	}
	leave, err := p.set.births.enter(p.context(), "post_stop of "+r.String())
	if err != nil {
		return
	}
	defer leave()
	limit := p.limits().Stop
	ctx, cancel := context.WithTimeoutCause(p.context(), limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	base, err := p.spec(r, def)
	if err == nil {
		base.Group = r.home.group
		err = p.command(ctx, r, "post_stop", def.PostStop, base)
	}
	if err != nil {
		p.warn(r, err.Error())
	}
}

// stopCommand runs one step of a stop. It is in no group of the program's: what is
// left of that would be killed at the command's end.
func (p *program) stopCommand(ctx context.Context, r *run, def *config.Program, words []string, pid int) error {
	leave, err := p.set.births.enter(ctx, "stop command of "+r.String())
	if err != nil {
		return err
	}
	defer leave()
	base, err := p.spec(r, def)
	if err == nil {
		base.Env = append(base.Env, "MAINPID="+strconv.Itoa(pid))
		err = p.command(ctx, r, "stop command", words, base)
	}
	if err != nil && ctx.Err() == nil {
		p.warn(r, err.Error())
	}
	return err
}

// onFatal tells a command that a program was given up.
func (p *program) onFatal(r *run, def *config.Program, cause string, output []string) error {
	if len(def.OnFatal) == 0 {
		return nil
	}
	leave, err := p.set.births.enter(p.context(), "on_fatal of "+r.String())
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(p.context(), fatalLimit, fmt.Errorf("it took longer than %v", fatalLimit))
	defer cancel()
	base, err := p.spec(r, def)
	if err != nil {
		return err
	}
	base.Env = append(base.Env, "DSERVER_PROGRAM="+p.name, "DSERVER_CAUSE="+strings.ReplaceAll(cause, "\x00", ""))
	lines, err := textFile(strings.Join(append(output, ""), "\n"))
	if err != nil {
		return err
	}
	defer lines.Close()
	base.Stdin = lines
	return p.command(ctx, r, "on_fatal", def.OnFatal, base)
}

// command runs a command to its end, in place of the program and with its output
// where that of the program goes. When ctx ends it is killed.
func (p *program) command(ctx context.Context, r *run, what string, words []string, spec supervise.Spec) error {
	spec.Name += " " + what
	spec.Path, spec.Args = words[0], words
	spec.Stdout, spec.Stderr = p.set.options.Sinks(r.def, r.unit.instance, r.number)
	c, err := p.set.start(spec)
	if err != nil {
		return err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		if _, err := c.Stop(canceled(), nil); err != nil {
			return err
		}
		return fmt.Errorf("%s was killed: %w", what, context.Cause(ctx))
	}
	if exit := c.Exit(); !exit.Success() {
		return fmt.Errorf("%s failed: %v%s", what, exit, lastLine(c.Tail()))
	}
	return nil
}

// runner runs the commands of probes as the program that they are about.
type runner struct {
	program *program
	run     *run
	def     *config.Program
}

var _ probe.Runner = runner{}

// Run implements probe.Runner.
func (c runner) Run(ctx context.Context, command probe.Command) ([]byte, error) {
	leave, err := c.program.set.births.enter(ctx, "probe of "+c.run.String())
	if err != nil {
		return nil, err
	}
	defer leave()
	spec, err := c.program.spec(c.run, c.def)
	if err != nil {
		return nil, err
	}
	spec.Name += " probe"
	spec.Path, spec.Args = command.Path, command.Args
	process, err := c.program.set.start(spec)
	if err != nil {
		return nil, err
	}
	select {
	case <-process.Done():
	case <-ctx.Done():
		if _, err := process.Stop(canceled(), nil); err != nil {
			return nil, err
		}
		return nil, context.Cause(ctx)
	}
	output := []byte(strings.Join(process.Tail(), "\n"))
	if exit := process.Exit(); !exit.Success() {
		return output, errors.New(exit.String())
	}
	return output, nil
}

func lastLine(output []string) string {
	if len(output) == 0 {
		return ""
	}
	return ": " + output[len(output)-1]
}

// textFile gives a file without a name that holds text.
func textFile(text string) (*os.File, error) {
	number, err := unix.MemfdCreate("output", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(number), "output")
	if _, err = f.WriteString(text); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (p *program) warn(r *run, text string) {
	place := Place{Program: p.name}
	if r != nil {
		place.Instance, place.Generation = r.unit.instance, r.number
	}
	p.publish(Warned{Place: place, Text: text})
}
