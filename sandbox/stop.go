package sandbox

import (
	"context"
	"fmt"
	"strings"
)

// stop drains the sandbox; it needs no turn, so that it can end a start.
func (u *unit) stop(ctx context.Context) (Report, error) {
	report := u.wait(ctx, u.beginStop())
	if len(report.Stuck) > 0 {
		return report, stuck(u.entry.Name)
	}
	return report, nil
}

// stopping is an order to stop that was given and can be waited for.
type stopping struct {
	up    *up // nil if nothing was running
	stops int // orders to stop, with this one
}

// beginStop orders the sandbox to stop; it does not wait.
func (u *unit) beginStop() stopping {
	u.mu.Lock()
	u.stops++
	s := stopping{stops: u.stops}
	u.mu.Unlock()
	for {
		u.mu.Lock()
		state, p := u.status.State, u.up
		u.mu.Unlock()
		switch state {
		case Stopped:
			return s
		case Failed, Finished:
			// The keeper of that time is ending by itself.
			if u.move(evStop, nil) == nil {
				return s
			}
		default:
			u.tellStop(p)
			s.up = p
			return s
		}
	}
}

// tellStop tells the keeper, and the run if there is one. The order and the move
// are one step: between them the keeper could settle and somebody start anew.
func (u *unit) tellStop(p *up) {
	u.tell.Lock()
	defer u.tell.Unlock()
	u.mu.Lock()
	if u.up != p || p.ordered() {
		u.mu.Unlock()
		return
	}
	close(p.stop)
	r := p.run
	draining := u.apply(evDrain, nil) == nil // refused in backoff, or if it drains already
	u.mu.Unlock()
	if r != nil { // else the keeper sees p.stop
		r.drainNow()
	}
	// Only now: who is told that it drains relies on it that nothing is accepted.
	if draining && u.env.Observe != nil {
		u.env.Observe(u.snapshot())
	}
}

// ordered tells whether the order to stop was given; unit.mu is held.
func (p *up) ordered() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// wait waits until the sandbox is down. When ctx ends the run is cancelled and
// has two more seconds.
func (u *unit) wait(ctx context.Context, s stopping) Report {
	if s.up == nil {
		return Report{}
	}
	select {
	case <-s.up.down:
	case <-s.up.stuck:
	case <-ctx.Done():
		u.expire(s.up)
		select {
		case <-s.up.down:
		case <-s.up.stuck:
		}
	}
	return u.report(s.up)
}

func (u *unit) expire(p *up) {
	u.mu.Lock()
	p.expired = true
	r := p.run
	u.mu.Unlock()
	if r != nil {
		r.expire(errDrainDeadline)
	}
}

func (u *unit) report(p *up) Report {
	var rep Report
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, what := range p.cut {
		rep.Cut = append(rep.Cut, u.entry.Name+": "+what)
	}
	if p.run == nil {
		return rep
	}
	for _, what := range p.run.cuts() {
		rep.Cut = append(rep.Cut, u.entry.Name+": "+what)
	}
	for _, what := range p.run.running() {
		rep.Stuck = append(rep.Stuck, u.entry.Name+": "+what)
	}
	return rep
}

func (u *unit) stuckText(r *run) error {
	return fmt.Errorf("did not end in time: %s", strings.Join(r.running(), ", "))
}
