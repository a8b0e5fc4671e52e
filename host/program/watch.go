package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
)

// prepare adds to a process that is about to start what its readiness is seen by.
// The function that it gives is to be called once the process has been started, or
// could not be.
func (p *program) prepare(r *run, spec *supervise.Spec) (begun func(ok bool), err error) {
	if r.def.Ready.Kind != config.ProbeNewline {
		return func(bool) {}, nil
	}
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

// watch implements surroundings.
func (p *program) watch(r *run) {
	if r.newline != nil {
		p.errand("readiness of "+r.String(), func() { p.awaitNewline(r) })
	}
}

// awaitNewline reads until the program has written a newline, closed its end, or is
// over.
func (p *program) awaitNewline(r *run) {
	defer r.newline.Close()
	stop := context.AfterFunc(r.ctx, func() { r.newline.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	one := make([]byte, 1)
	for {
		_, err := io.ReadFull(r.newline, one)
		switch {
		case err == nil && one[0] == '\n':
			r.unit.tell(isReady{run: r})
			return
		case err != nil:
			r.unit.tell(neverReady{run: r, why: fmt.Sprintf("descriptor %d was closed without a newline", r.def.Ready.FD)})
			return
		}
	}
}
