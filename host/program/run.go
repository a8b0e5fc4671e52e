package program

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/internal/signals"
)

// run is one life of an instance, from the wait for what it needs to the end of
// what follows its process.
type run struct {
	unit       *unit
	number     int // its generation
	def        *config.Program
	ctx        context.Context // of everything that is done for it
	cancel     context.CancelCauseFunc
	place      int    // which of the instance's homes it lives in, from 0
	beside     bool   // it begins while another one serves
	replacedBy string // who asked for that

	// What is found out while it starts does not change once it has a process.
	exe     fileID
	home    home
	kills   int           // in its group for want of memory, before it began
	newline *os.File      // on which it says that it is ready, if so
	lines   *probe.Lines  // by which it is seen that it is, likewise
	member  *probe.Member // of the hub; nil if it is not heard

	answer atomic.Pointer[string] // what was last answered to whether it is ready
	speaks atomic.Bool            // it has told something by the notify socket

	// All else is the unit's goroutine's alone.
	began     time.Time
	notBefore time.Time // when it was last asked for anew, while it had no process
	child     child     // nil until it has a process
	pid       int       // of the main process
	early     bool      // it was ready before its process was heard of
	blocked   string    // what it needs and does not come by itself; empty if nothing
	ready     bool
	over      bool          // its process has ended
	endedBy   string        // who asked for its end
	why       string        // what it was ended for, if that was a failure
	cause     string        // why it ended, once it has
	heartbeat time.Duration // in which it has to say that it is alive; 0 if it need not
	errno     int           // that it told
	wrong     bool          // it was told that it said something wrong
	hurry     func()        // ends the patience with which it is stopped
}

// done is nil while there is no process, or none whose end has not been seen.
func (r *run) done() <-chan struct{} {
	if r == nil || r.child == nil || r.over {
		return nil
	}
	return r.child.Done()
}

// launch begins a run. The unit's goroutine is told of its process, or of why there
// is none.
func (u *unit) launch(beside bool, def *config.Program) *run {
	u.number++
	u.dirty = true
	r := &run{unit: u, number: u.number, def: def, began: time.Now(), beside: beside, place: u.freePlace()}
	r.home = u.homes[r.place]
	r.ctx, r.cancel = context.WithCancelCause(u.around.context())
	blocked := func(why string) { u.box.put(isBlocked{run: r, why: why}) }
	u.around.errand("start of "+r.String(), func() {
		c, err := u.around.spawn(r.ctx, r, blocked)
		u.tell(launched{run: r, child: c, err: err})
	})
	return r
}

// settingsFor gives the definition by which a run is treated: what is configured
// now, unless that is about another process.
func (u *unit) settingsFor(r *run) *config.Program {
	if r.def != u.def && needsProcess(r.def, u.def) {
		return r.def
	}
	return u.def
}

// unheard ends that notices of the run are taken.
func (r *run) unheard() {
	if r.member != nil {
		r.member.Remove()
	}
}

// String is program/instance.generation.
func (r *run) String() string { return fmt.Sprintf("%s/%d.%d", r.unit.name, r.unit.instance, r.number) }

// stop tells a run to end. It is asked step by step if patient, else killed. That
// it has ended is seen elsewhere.
func (u *unit) stop(r *run, by string, patient bool) {
	if r.endedBy == "" {
		r.endedBy = by
	}
	r.cancel(errEnded)
	if r.child == nil || r.over { // a start under way is given up
		return
	}
	if r.hurry != nil { // it is being stopped already
		if !patient {
			r.hurry()
		}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.hurry = cancel
	if !patient {
		cancel()
	}
	ladder, child := u.around.ladder(r, u.settingsFor(r)), r.child
	u.around.errand("stop of "+r.String(), func() {
		defer cancel()
		_, err := child.Stop(ctx, ladder)
		u.tell(stopDone{run: r, err: err})
	})
}

// errEnded ends what is done for a run that is over.
var errEnded = fmt.Errorf("the process is to end: %w", context.Canceled)

// canceled is a context that has ended: what is stopped with it is killed.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func signalName(s syscall.Signal) string { return "SIG" + signals.Name(s) }
