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
	before  time.Time // processes that began later are new already, if they run def
	by      string
	only    *unit // nil means all
}

// run renews batch after batch, each once the one before is ready. The first
// failure ends it; if the definition has changed from old, those that run on the
// new one already go back.
func (o rollout) run(old *config.Program) Result {
	p := o.program
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	result := Result{Program: p.name}
	renewed := make(map[*unit]bool)
	states := make(map[*unit]State)
	for result.Err == nil {
		batch := o.batch(renewed)
		if len(batch) == 0 {
			break
		}
		o.renew(batch, o.def, states, &result)
	}
	if result.Err != nil && old != nil && needsProcess(old, o.def) {
		o.back(old, renewed, states)
	}
	var all []State
	for _, s := range states {
		all = append(all, s)
	}
	result.State = worst(all)
	return result
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

// renew waits for new processes of some instances. That one was stopped meanwhile
// is no failure.
func (o rollout) renew(units []*unit, def *config.Program, states map[*unit]State, result *Result) {
	replies := make([]chan outcome, len(units))
	for i, u := range units {
		replies[i] = make(chan outcome, 1)
		u.tell(renewal{
			def: def, how: o.how, before: o.before, by: o.by, anew: o.by == byRestart || o.by == byReload, reply: replies[i],
		})
	}
	for i, u := range units {
		switch r := <-replies[i]; {
		case errors.Is(r.err, errLeft):
		case errors.Is(r.err, errStoppedMeanwhile):
			states[u], result.Remark = r.state, r.err.Error()
		case r.err != nil && result.Err == nil:
			result.Err, result.Output = r.err, r.output
			fallthrough
		default:
			states[u] = r.state
		}
	}
}

// back takes those that were renewed to their old definition, all at a time: they
// have been well with it. A process that never left it is left alone.
func (o rollout) back(old *config.Program, renewed map[*unit]bool, states map[*unit]State) {
	s := o.program.set
	s.mu.Lock()
	var units []*unit
	for _, u := range o.program.kept() {
		if renewed[u] {
			units = append(units, u)
		} else {
			u.tell(settings{def: old})
		}
	}
	s.mu.Unlock()
	o.by, o.before = byRollBack, time.Time{}
	o.renew(units, old, states, new(Result))
}

// recycle implements surroundings.
func (p *program) recycle(u *unit, why string) {
	p.set.mu.Lock()
	how := wayOf(p.def)
	p.set.mu.Unlock()
	p.nurse(u, byRecycle, why, how)
}

// nurse implements surroundings.
func (p *program) nurse(u *unit, by, why string, action config.Reload) {
	place := Place{Program: p.name, Instance: u.instance}
	p.errand("care for "+u.name, func() {
		defer u.tell(cared{})
		if sig, ok := action.Signal(); ok {
			u.tell(sending{signal: sig, reply: make(chan outcome, 1)})
			return
		}
		if action == config.ReloadNone {
			p.publish(Warned{Place: place, Text: by + ": " + why})
			return
		}
		p.set.mu.Lock()
		def := p.def
		p.set.mu.Unlock()
		o := rollout{program: p, how: action, def: def, before: time.Now(), by: by, only: u}
		if result := o.run(nil); result.Err != nil {
			p.publish(Warned{Place: place, Text: fmt.Sprintf("it was to be renewed (%s: %s): %v", by, why, result.Err)})
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
