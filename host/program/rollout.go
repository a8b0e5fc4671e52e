package program

import (
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/host/config"
)

// rollout brings all instances of a program to new processes, some at a time.
type rollout struct {
	program *program
	how     config.Reload // replace or restart
	def     *config.Program
	before  time.Time // processes that began later are new already
	by      string
	only    *unit // nil means all
}

// run renews batch after batch, each once the one before is ready. The first
// failure ends it; if the definition has changed, those that run on the new one
// already go back to the old one.
func (o rollout) run(old *config.Program) error {
	o.program.turn <- struct{}{}
	defer func() { <-o.program.turn }()
	renewed := make(map[*unit]bool)
	for {
		batch := o.batch(renewed)
		if len(batch) == 0 {
			return nil
		}
		if err := o.renew(batch, o.def); err != nil {
			if old != nil && needsProcess(old, o.def) {
				o.back(old, renewed)
			}
			return err
		}
	}
}

// batch picks the next instances and marks them.
func (o rollout) batch(renewed map[*unit]bool) []*unit {
	s := o.program.set
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []*unit
	for _, u := range o.program.kept() {
		if len(batch) < max(o.def.Batch, 1) && !renewed[u] && (o.only == nil || o.only == u) {
			renewed[u] = true
			batch = append(batch, u)
		}
	}
	return batch
}

// renew gives the first failure. That an instance was stopped meanwhile is none.
func (o rollout) renew(units []*unit, def *config.Program) error {
	replies := make(chan outcome, len(units))
	for _, u := range units {
		u.tell(renewal{def: def, how: o.how, before: o.before, by: o.by, reply: replies})
	}
	var failed error
	for range units {
		r := <-replies
		if r.err == nil || errors.Is(r.err, errStoppedMeanwhile) || errors.Is(r.err, errLeft) {
			continue
		}
		if failed == nil {
			failed = &rolloutError{err: r.err, output: r.output}
		}
	}
	return failed
}

// back takes those that were renewed to their old definition, all at a time: they
// have been well with it. Whether that works is not waited for.
func (o rollout) back(old *config.Program, renewed map[*unit]bool) {
	s := o.program.set
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range o.program.units {
		if renewed[u] {
			u.tell(renewal{def: old, how: o.how, by: "roll back", reply: make(chan outcome, 1)})
		} else {
			u.tell(settings{def: old})
		}
	}
}

// rolloutError carries the output of what failed.
type rolloutError struct {
	err    error
	output []string
}

func (e *rolloutError) Error() string { return e.err.Error() }
func (e *rolloutError) Unwrap() error { return e.err }

// result makes the answer to a command of how a rollout went.
func (p *program) result(err error) Result {
	r := Result{Program: p.name, State: p.set.stateOf(p), Err: err}
	if failed, ok := errors.AsType[*rolloutError](err); ok {
		r.Err, r.Output = failed.err, failed.output
	}
	return r
}

// recycle implements surroundings.
func (p *program) recycle(u *unit, why string) {
	p.set.mu.Lock()
	how := wayOf(p.def)
	p.set.mu.Unlock()
	p.nurse(u, nil, byRecycle, why, how)
}

// nurse implements surroundings.
func (p *program) nurse(u *unit, r *run, by, why string, action config.Reload) {
	p.errand("care for "+u.name, func() {
		defer u.tell(cared{})
		if sig, ok := action.Signal(); ok {
			u.tell(sending{signal: sig, reply: make(chan outcome, 1)})
			return
		}
		if action == config.ReloadNone {
			p.warn(r, by+": "+why)
			return
		}
		p.set.mu.Lock()
		def := p.def
		p.set.mu.Unlock()
		o := rollout{program: p, how: action, def: def, before: time.Now(), by: by, only: u}
		if err := o.run(nil); err != nil {
			p.warn(r, fmt.Sprintf("it was to be renewed (%s: %s): %v", by, why, err))
		}
	})
}

// wayOf is how a new process comes into the place of one that is well.
func wayOf(def *config.Program) config.Reload {
	if def.Reload == config.ReloadReplace {
		return config.ReloadReplace
	}
	return config.ReloadRestart
}

// cared says that what was to be done about a run that was not well, or too old,
// has been done or has failed.
type cared struct{}

func (cared) apply(u *unit) {
	u.caring = false
	if u.run != nil && u.state == Ready && u.alarms.at[tooOld].IsZero() && u.def.Recycle.MaxAge > 0 {
		u.alarms.in(tooOld, max(time.Second, u.def.Recycle.MaxAge/10)) // it is older than it should be: try again
	}
}
