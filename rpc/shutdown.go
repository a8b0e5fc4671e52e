package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Drain stops accepting and asks every peer to take new calls elsewhere. The
// endpoint goes on reading and answering everything. It returns when all peers
// have been told; a second Drain waits for the first.
func (e *Endpoint) Drain() { e.drain(e.limits.DrainTime) }

func (e *Endpoint) drain(left time.Duration) {
	by := time.Now().Add(left)
	e.leaveBy.CompareAndSwap(nil, &by)
	if !e.life.advance(leaving) {
		<-e.drained
		return
	}
	defer close(e.drained)
	e.stopAccepting()
	for _, s := range e.all() {
		if s.life.stage() != early { // it is told when it works
			s.sendGoaway(left)
		}
	}
}

// timeToLeave is what is left of the time that the first drain gave.
func (e *Endpoint) timeToLeave() time.Duration {
	if by := e.leaveBy.Load(); by != nil {
		return time.Until(*by)
	}
	return e.limits.DrainTime
}

// Shutdown drains, waits until the peers have left, closes what it dialled itself
// once that is idle, and waits for the last handlers. When ctx ends it closes the
// rest. The error holds a *[CutError] if calls were cut. A handler must not call it:
// it would wait for itself.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	failed := e.runClosingHooks()
	e.drain(timeLeft(ctx, e.limits.DrainTime))
	// What handlers of the accepted sessions still call goes over the dialled
	// ones: those leave last.
	e.leaveAll(ctx, func(s *Session) bool { return !s.dialed })
	e.leaveAll(ctx, func(*Session) bool { return true })
	e.finishHandlers(ctx)

	report := &CutError{}
	for _, s := range e.all() {
		report.add(s)
	}
	err := errors.Join(failed, e.Close())
	if len(report.Calls) > 0 {
		return errors.Join(report, err)
	}
	return err
}

// runClosingHooks runs those before the close, with the first Shutdown or Close.
func (e *Endpoint) runClosingHooks() (err error) {
	e.closing.Do(func() { err = e.hooks.runBeforeCloseEndpoint(e) })
	return err
}

// finishHandlers waits for those whose sessions have ended: PUSHes whose sender
// has left.
func (e *Endpoint) finishHandlers(ctx context.Context) {
	for {
		quiet := e.handlers.quiet()
		if quiet == nil {
			return
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			return
		}
	}
}

// leaveAll waits until the sessions of that kind have ended, those too that
// begin meanwhile.
func (e *Endpoint) leaveAll(ctx context.Context, kind func(*Session) bool) {
	for ctx.Err() == nil {
		var all sync.WaitGroup
		found := false
		for _, s := range e.all() {
			if kind(s) {
				found = true
				all.Add(1)
				e.group.Go("leave", func(context.Context) {
					defer all.Done()
					s.leave(ctx)
				})
			}
		}
		all.Wait()
		if !found {
			return
		}
	}
}

// Close ends everything at once: listeners, sessions, calls. It waits for its
// goroutines, and up to Limits.CloseTime for handlers, whose contexts have ended;
// an error says how many did not return. A second Close does the same waiting, and
// so does a Close from inside a handler.
func (e *Endpoint) Close() error {
	failed := e.runClosingHooks()
	err := e.close()
	if err == nil {
		e.closed.Do(func() { err = e.hooks.runAfterCloseEndpoint(e, failed) })
	}
	return errors.Join(failed, err)
}

func (e *Endpoint) close() error {
	undrained := e.life.advance(leaving)
	e.life.advance(over)
	e.group.Cancel(ErrClosed)
	e.stopAccepting()
	if undrained {
		close(e.drained)
	}
	for _, s := range e.all() {
		s.end(ErrClosed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.limits.CloseTime)
	defer cancel()
	err := errors.Join(e.group.Wait(ctx), e.workers.stop(ctx))
	if err == nil {
		return nil
	}
	if n := e.handlers.n.Load(); n > 0 {
		err = fmt.Errorf("%d handlers still run: %w", n, err)
	}
	return fmt.Errorf("cannot close endpoint %s: %w", e.config.Name, err)
}
