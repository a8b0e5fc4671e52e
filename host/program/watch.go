package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
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

// limit implements surroundings.
func (p *program) limit(def *config.Program, runs ...*run) {
	for _, r := range runs {
		if r == nil || r.child == nil {
			continue
		}
		p.errand("limits of "+r.String(), func() {
			if err := r.group.Set(CgroupLimits(&def.Process)); err != nil {
				p.warn(r, err.Error())
			}
		})
	}
}
