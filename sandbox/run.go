package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
)

const (
	overrunAfter  = 2 * time.Second  // from the end of ctx to "stuck"
	remindAfter   = 5 * time.Second  // without Ready, one line is logged
	healthTimeout = 10 * time.Second // for one answer of Health
	serveName     = "Serve"          // how a Serve that does not return is called in reports
)

// run is one call of Serve with its box and its goroutines.
type run struct {
	service Service
	box     *Box
	logger  *slog.Logger
	gate    *gate
	group   *group.Group
	began   time.Time

	ready     chan struct{} // closed by the first Box.Ready
	readyOnce sync.Once
	drain     chan struct{} // closed when no new work is wanted
	drainOnce sync.Once
	ended     chan struct{} // closed when Serve and all goroutines of the box have ended
	result    error         // what Serve returned; read after ended
	overran   chan struct{} // closed when they did not end in time

	mu       sync.Mutex
	closed   bool  // Serve has returned: no more goroutines
	failure  error // why the run must end, other than Serve's own return
	cut      []string
	deadline *time.Timer // to overran; nil until ctx was cancelled for good
}

func newRun(ctx context.Context, s Service, g *gate, l *slog.Logger) *run {
	r := &run{
		service: s, gate: g, logger: l, began: time.Now(),
		ready: make(chan struct{}), drain: make(chan struct{}),
		ended: make(chan struct{}), overran: make(chan struct{}),
	}
	r.group = group.New(ctx, r.panicked)
	return r
}

func (r *run) context() context.Context { return r.group.Context() }

// serve calls Serve and returns when it and all goroutines of the box have ended.
// It may take for ever; see overran.
func (r *run) serve() {
	defer close(r.ended)
	r.group.Go(serveName, func(ctx context.Context) {
		// Deferred, so that it happens after runtime.Goexit as well.
		result := errGoexit
		defer func() { r.served(result) }()
		result = r.call(ctx)
	})
	// The context is never done: the answer to goroutines that stay is overran.
	_ = r.group.Wait(context.Background())
	r.stopTimer()
	r.box.close()
}

func (r *run) call(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = r.panicError(serveName, v, debug.Stack())
		}
	}()
	return r.service.Serve(ctx, r.box)
}

func (r *run) served(result error) {
	r.mu.Lock()
	r.result, r.closed = result, true
	r.mu.Unlock()
	r.box.halt()
	r.expire(errServeReturned)
}

// health asks the service whether it is well, if it can tell. It asks in a
// goroutine of the box: a Health that never answers makes the sandbox stuck, not
// its keeper.
func (r *run) health() <-chan error {
	answer := make(chan error, 1)
	h, ok := r.service.(Healther)
	if !ok {
		answer <- nil
		return answer
	}
	r.spawn("Health", func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, healthTimeout)
		defer cancel()
		late := func() error { return fmt.Errorf("not healthy: no answer: %w", context.Cause(ctx)) }
		stop := context.AfterFunc(ctx, func() { answer <- late() })
		defer stop() // before cancel: a panic gives its own answer
		err := h.Health(ctx)
		switch {
		case !stop():
			return
		case ctx.Err() != nil: // it was quicker than the answer above, and still late
			err = late()
		case err != nil:
			err = fmt.Errorf("not healthy: %w", err)
		}
		answer <- err
	})
	return answer
}

func (r *run) saidReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

func (r *run) sayReady() { r.readyOnce.Do(func() { close(r.ready) }) }

// drainNow stops new work: first the sockets, so that what they hold goes to
// another generation, then the service.
func (r *run) drainNow() {
	r.drainOnce.Do(func() {
		watched := r.box.halt()
		close(r.drain)
		if !watched {
			r.group.Cancel(errDrainBegun)
		}
	})
}

// expire cancels the run's context; if the run has not ended two seconds later
// it has overrun.
func (r *run) expire(cause error) {
	r.group.Cancel(cause)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deadline == nil {
		r.deadline = time.AfterFunc(overrunAfter, func() { close(r.overran) })
	}
}

func (r *run) stopTimer() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deadline != nil {
		r.deadline.Stop()
	}
}

// fail ends the run because of err.
func (r *run) fail(err error) {
	r.mu.Lock()
	if r.failure == nil {
		r.failure = err
	}
	r.mu.Unlock()
	r.drainNow()
	r.expire(err)
}

func (r *run) panicked(name string, err error) {
	var p *group.PanicError
	if errors.As(err, &p) {
		err = r.panicError(name, p.Value, p.Stack)
	}
	r.fail(err)
}

func (r *run) panicError(name string, value any, stack []byte) error {
	p := &group.PanicError{Value: value, Stack: stack}
	r.logger.Error("panic in "+name, "panic", fmt.Sprint(value), "stack", string(stack))
	return fmt.Errorf("%s: %w", name, p)
}

func (r *run) spawn(name string, f func(ctx context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.logger.Warn("goroutine not started: Serve has returned", "goroutine", name)
		return
	}
	r.group.Go(name, f)
}

func (r *run) noteCut(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = append(r.cut, what)
}

func (r *run) cuts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.cut...)
}

// outcome is why the run ended: nil if of its own accord and well.
func (r *run) outcome() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure != nil {
		return r.failure
	}
	return r.result
}

// running names what has not ended.
func (r *run) running() []string {
	past, cancel := context.WithCancel(context.Background())
	cancel()
	var u *group.UnfinishedError
	if errors.As(r.group.Wait(past), &u) {
		return u.Names
	}
	return nil
}
