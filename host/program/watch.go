package program

import (
	"context"
	"errors"
	"os"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
)

// prepare adds to a process that is about to start what its readiness is seen by.
// The function that it gives is to be called once the process has been started, or
// could not be.
func (p *program) prepare(r *run, spec *supervise.Spec) (begun func(ok bool), err error) {
	switch r.def.Ready.Kind {
	case config.ProbeNewline:
		return prepareNewline(r, spec)
	case config.ProbeLog:
		r.lines, err = linesOf(r.def)
		if err == nil {
			spec.Stdout, spec.Stderr = r.lines.Tee(spec.Stdout), r.lines.Tee(spec.Stderr)
		}
	}
	return func(bool) {}, err
}

func prepareNewline(r *run, spec *supervise.Spec) (begun func(ok bool), err error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if spec.Files, err = place(spec.Files, r.def.Ready.FD, theirs); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	return func(ok bool) {
		theirs.Close()
		if ok {
			r.newline = ours
			return
		}
		ours.Close()
	}, nil
}

// linesOf looks for the line by which a program says that it is ready.
func linesOf(def *config.Program) (*probe.Lines, error) {
	pattern, err := regexp.Compile(def.Ready.Pattern)
	if err != nil {
		return nil, err
	}
	return probe.NewLines(pattern), nil
}

// watch implements surroundings.
func (p *program) watch(r *run) {
	switch {
	case r.newline != nil:
		p.await(r, func() error {
			defer r.newline.Close()
			return probe.Newline(r.ctx, r.newline)
		})
	case r.lines != nil:
		p.await(r, func() error {
			defer r.lines.Stop()
			return await(r.ctx, r.lines.Matched())
		})
	case probed(r.def.Ready.Kind):
		p.await(r, func() error {
			prober, err := p.prober(r, r.def, r.def.Ready, 0)
			if err != nil {
				return err
			}
			return probe.Await(r.ctx, noting{prober, r}, probe.Pace{})
		})
	}
}

// await tells the unit when a run is ready, or why it never will be.
func (p *program) await(r *run, wait func() error) {
	p.errand("readiness of "+r.String(), func() {
		switch err := wait(); {
		case err == nil:
			r.unit.tell(isReady{run: r})
		case r.ctx.Err() == nil:
			r.unit.tell(neverReady{run: r, why: err.Error()})
		}
	})
}

// noting keeps the last answer, for who wants to know why a run is not ready.
type noting struct {
	probe.Prober
	run *run
}

// Ask implements probe.Prober.
func (n noting) Ask(ctx context.Context) error {
	err := n.Prober.Ask(ctx)
	if err != nil && n.run.ctx.Err() == nil {
		text := err.Error()
		n.run.answer.Store(&text)
	}
	return err
}

// pollable gives a copy of a file that can be given a deadline.
func pollable(f *os.File) (*os.File, error) {
	number := -1
	err := inherit.Numbers([]syscall.Conn{f}, func(numbers []uintptr) (err error) {
		number, err = unix.FcntlInt(numbers[0], unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(number, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(number))
	}
	return os.NewFile(uintptr(number), f.Name()), nil
}
