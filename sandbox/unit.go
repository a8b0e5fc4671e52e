package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// unit is one sandbox of a runtime: its state and whoever keeps it going.
type unit struct {
	entry  Entry
	env    Env
	gate   *gate
	group  *group.Group // of the runtime; owns keepers and runs
	logger *slog.Logger
	level  *slog.LevelVar
	work   tally
	order  chan struct{} // holds one token while a start or restart goes on

	// tell is held over a change of state and the call of Observe, so that
	// observers see changes in order. It is taken before mu.
	tell sync.Mutex

	mu       sync.Mutex
	status   Status // without Listen and Level
	closing  bool   // the runtime drains: no more starts
	stops    int    // orders to stop so far
	up       *up    // from a start to the next stop; nil before the first
	listened []string
}

// up is the time from an order to start until the sandbox is down again. It
// covers restarts after failures.
type up struct {
	stop  chan struct{} // closed by an order to stop
	first chan error    // gets the outcome of the first start; buffered
	down  chan struct{} // closed when the keeper has ended
	stuck chan struct{} // closed when a run has overrun

	// Guarded by unit.mu:
	run     *run     // the current one; nil between runs
	cut     []string // of runs that are over
	aborted error    // why the next run must fail at once
	expired bool     // the drain deadline has passed
}

func newUnit(e Entry, env Env, g *gate, owner *group.Group) *unit {
	u := &unit{
		entry: e, env: env, gate: g, group: owner,
		level: new(slog.LevelVar), order: make(chan struct{}, 1),
		status: Status{Name: e.Name, State: Stopped, Since: time.Now()},
	}
	u.level.Set(e.Level)
	u.logger = slog.New(&leveled{Handler: env.Logger(e.Name).Handler(), level: u.level})
	return u
}

// update runs f under the lock and tells the observer if f changed the state.
func (u *unit) update(f func() (changed bool)) {
	u.tell.Lock()
	defer u.tell.Unlock()
	u.mu.Lock()
	changed := f()
	u.mu.Unlock()
	if changed && u.env.Observe != nil {
		u.env.Observe(u.snapshot())
	}
}

// move changes the state by e if the table allows it.
func (u *unit) move(e Event, cause error) (err error) {
	u.update(func() bool {
		err = u.apply(e, cause)
		return err == nil
	})
	return err
}

// apply is move for callers inside update.
func (u *unit) apply(e Event, cause error) error {
	next, err := u.status.State.To(e)
	if err != nil {
		return &MoveError{Sandbox: u.entry.Name, From: u.status.State, Event: e}
	}
	u.status.State, u.status.Since = next, time.Now()
	switch {
	case cause != nil:
		u.status.Error = cause.Error()
	case next == Ready || next == Stopped:
		u.status.Error = ""
	}
	if e == evRetry {
		u.status.Restarts++
	}
	return nil
}

func (u *unit) snapshot() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.status
	s.Level = u.level.Level().String()
	s.Listen = u.listened
	if u.up != nil && u.up.run != nil {
		s.Listen = u.up.run.box.listening()
	}
	return s
}

// start brings the sandbox up and waits until it is ready, has failed, or ctx
// ends; then the start is taken back. A sandbox that is ready stays as it is.
func (u *unit) start(ctx context.Context) error {
	if err := u.take(ctx); err != nil {
		return err
	}
	defer u.release()
	u.mu.Lock()
	stops := u.stops
	u.mu.Unlock()
	return u.startUnless(ctx, stops)
}

// restart stops the sandbox by ctx and starts it again. If ctx has a deadline the
// start gets as much time again: the sandbox must not stay down because draining
// took it all.
func (u *unit) restart(ctx context.Context) (Report, error) {
	if err := u.take(ctx); err != nil {
		return Report{}, err
	}
	defer u.release()
	startCtx := context.WithoutCancel(ctx)
	deadline, limited := ctx.Deadline()
	limit := time.Until(deadline)
	order := u.beginStop()
	report := u.wait(ctx, order)
	if len(report.Stuck) > 0 {
		return report, stuck(u.entry.Name)
	}
	if limited {
		var cancel context.CancelFunc
		startCtx, cancel = context.WithTimeout(startCtx, limit)
		defer cancel()
	}
	return report, u.startUnless(startCtx, order.stops)
}

// take waits for the turn to start or restart.
func (u *unit) take(ctx context.Context) error {
	select {
	case u.order <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (u *unit) release() { <-u.order }

// startUnless starts unless an order to stop came since there were stops of them.
func (u *unit) startUnless(ctx context.Context, stops int) error {
	up, err := u.begin(stops)
	if up == nil {
		return err
	}
	select {
	case err := <-up.first:
		return err
	case <-up.stuck:
		return stuck(u.entry.Name)
	case <-ctx.Done():
	}
	late := fmt.Errorf("not ready in time: %w", context.Cause(ctx))
	u.abort(up, late)
	select {
	case err := <-up.first:
		return err
	case <-up.stuck:
		return fmt.Errorf("%w; %w", late, stuck(u.entry.Name))
	}
}

// begin starts a keeper; it returns nil, nil if the sandbox is up already.
func (u *unit) begin(stops int) (*up, error) {
	next := &up{
		stop: make(chan struct{}), first: make(chan error, 1),
		down: make(chan struct{}), stuck: make(chan struct{}),
	}
	var err error
	u.update(func() bool {
		switch {
		case u.closing:
			err = ErrDraining
		case u.stops != stops:
			err = ErrStopped
		case u.status.State == Ready:
			next = nil
			return false
		case u.status.State == Stuck:
			err = stuck(u.entry.Name)
		default:
			err = u.apply(evStart, nil)
		}
		if err == nil {
			u.up = next
		}
		return err == nil
	})
	if err != nil || next == nil {
		return nil, err
	}
	u.group.Go("keeper of "+u.entry.Name, func(ctx context.Context) { u.keep(ctx, next) })
	return next, nil
}

// close makes the sandbox refuse to be started.
func (u *unit) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closing = true
}

// abort fails the run that is going on, or the one that is about to begin.
func (u *unit) abort(p *up, cause error) {
	u.mu.Lock()
	p.aborted = cause
	r := p.run
	u.mu.Unlock()
	if r != nil {
		r.fail(cause)
	}
}
