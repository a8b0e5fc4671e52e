package sandbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// keep runs the service, again and again as the policy says, until an order to
// stop or an end for good. It is the only one who makes runs.
func (u *unit) keep(ctx context.Context, p *up) {
	defer close(p.down)
	pause := backoff{policy: u.entry.Restart}
	for first := true; ; first = false {
		r, err := u.begun(ctx, p)
		ready := false
		if r != nil {
			ready = u.watch(p, r, first)
			err = r.outcome()
		}
		if !u.again(p, r, err, ready, first, &pause) {
			return
		}
	}
}

// begun makes the next run and starts it.
func (u *unit) begun(ctx context.Context, p *up) (*run, error) {
	service, err := u.newService()
	if err != nil {
		return nil, err
	}
	r := newRun(ctx, service, u.gate, u.logger)
	r.box = &Box{
		work: &u.work, run: r, name: u.entry.Name, mode: u.env.Mode, logger: u.logger,
		sockets: u.env.Sockets, declare: u.entry.Listen, config: u.entry.Config,
	}
	u.mu.Lock()
	p.run = r
	ordered, expired, aborted := p.ordered(), p.expired, p.aborted
	u.mu.Unlock()
	u.group.Go("run of "+u.entry.Name, func(context.Context) { r.serve() })
	// Orders that came before p.run was there to be told.
	if ordered {
		r.drainNow()
	}
	if aborted != nil {
		r.fail(aborted)
	}
	if expired {
		r.expire(errDrainDeadline)
	}
	return r, nil
}

// newService calls the user's constructor behind the wall.
func (u *unit) newService() (s Service, err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := debug.Stack()
			u.logger.Error("panic while making the service", "panic", fmt.Sprint(v), "stack", string(stack))
			err = fmt.Errorf("New: %w", &group.PanicError{Value: v, Stack: stack})
		}
	}()
	if s = u.entry.New(); s == nil {
		return nil, errors.New("New returned no service")
	}
	return s, nil
}

// watch follows a run to its end; it returns whether it was ready in between.
func (u *unit) watch(p *up, r *run, first bool) (ready bool) {
	if u.entry.ReadyAtStart {
		r.sayReady()
	}
	remind := time.NewTimer(remindAfter)
	defer remind.Stop()
	var healthy <-chan error
	said, draining, overran := r.ready, r.drain, r.overran
	for {
		select {
		case <-said:
			said = nil
			remind.Stop()
			healthy = r.health()
		case err := <-healthy:
			healthy = nil
			ready = u.judge(p, r, first, err)
		case <-remind.C:
			u.logger.Warn("not ready yet: waiting for Box.Ready", "after", remindAfter)
		case <-draining:
			// By order the move is done already; here a failure outside Serve.
			draining = nil
			_ = u.move(evDrain, nil)
		case <-overran:
			overran = nil
			u.overrun(p, r)
		case <-r.ended:
			// A service that said Ready and returned at once was ready.
			return ready || r.saidReady() && r.outcome() == nil && u.judge(p, r, first, nil)
		}
	}
}

// judge makes the sandbox ready unless it is not healthy.
func (u *unit) judge(p *up, r *run, first bool, health error) (ready bool) {
	if health != nil {
		r.fail(health)
		return false
	}
	if u.move(evReady, nil) != nil {
		return false // it drains already
	}
	if first {
		p.first <- nil
	}
	return true
}

func (u *unit) overrun(p *up, r *run) {
	cause := u.stuckText(r)
	u.logger.Error("sandbox is stuck", "error", cause)
	_ = u.move(evDrain, nil) // if it overran without having been told to drain
	if u.move(evOverrun, cause) == nil {
		close(p.stuck)
	}
}

// again settles what a run that is over leads to; it returns whether there is to
// be another run.
func (u *unit) again(p *up, r *run, err error, ready, first bool, pause *backoff) bool {
	ran := u.retire(p, r)
	if u.stopped(p) {
		if err != nil && !errors.Is(err, context.Canceled) {
			u.logger.Warn("sandbox ended with an error while stopping", "error", err)
		}
		u.settle(p, evReturned, nil, first && !ready, ErrStopped)
		return false
	}
	if err == nil && !ready {
		err = errBeforeReady
	}
	policy := u.entry.Restart.When
	if err == nil && policy != Always {
		u.logger.Info("sandbox has finished")
		u.settle(p, evFinish, nil, false, nil)
		return false
	}
	if first && !ready || policy == Never {
		u.logger.Error("sandbox failed", "error", err)
		u.settle(p, evFail, err, first && !ready, err)
		return false
	}
	delay, ok := pause.next(ran)
	if !ok {
		u.logger.Error("sandbox failed too often", "error", err, "restarts", u.entry.Restart.Limit)
		u.settle(p, evFail, err, false, nil)
		return false
	}
	u.logger.Error("sandbox failed and will be started again", "error", err, "in", delay)
	if u.move(evCrash, err) != nil { // it overran: see settle
		u.settle(p, evReturned, err, false, nil)
		return false
	}
	return u.pause(p, delay)
}

// retire takes the run's last words and tells how long it ran.
func (u *unit) retire(p *up, r *run) time.Duration {
	if r == nil {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listened = r.box.listening()
	p.cut = append(p.cut, r.cuts()...)
	p.run = nil
	return time.Since(r.began)
}

// settle makes the last move of an up. A run that overran has been given up; its
// late return leads to stopped, whatever it returned.
func (u *unit) settle(p *up, e Event, cause error, tell bool, answer error) {
	if u.move(e, cause) != nil {
		for _, e := range []Event{evReturned, evStop} {
			if u.move(e, cause) == nil {
				break
			}
		}
	}
	if tell {
		p.first <- answer
	}
}

// pause waits out a backoff; it returns false if an order to stop ended it.
func (u *unit) pause(p *up, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		if !u.stopped(p) {
			return u.move(evRetry, nil) == nil
		}
	case <-p.stop:
	}
	u.settle(p, evStop, nil, false, nil)
	return false
}

func (u *unit) stopped(p *up) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return p.ordered()
}
