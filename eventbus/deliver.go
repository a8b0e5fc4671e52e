package eventbus

import (
	"context"
	"errors"
	"runtime/debug"
)

// route is who gets an event: two lists, each in order of delivery, the second
// one to be matched with the name.
type route struct {
	name            string // empty for a typed event
	exact, patterns []*Subscription
}

// next takes the next subscriber off the lists; nil at their end.
func (r *route) next() *Subscription {
	for len(r.patterns) > 0 && !r.patterns[0].pattern.match(r.name) {
		r.patterns = r.patterns[1:]
	}
	list := &r.exact
	if len(r.exact) == 0 || len(r.patterns) > 0 && compare(r.patterns[0], r.exact[0]) < 0 {
		list = &r.patterns
	}
	if len(*list) == 0 {
		return nil
	}
	s := (*list)[0]
	*list = (*list)[1:]
	return s
}

func publish[T any](ctx context.Context, b *Bus, r route, v T) error {
	if ctx == nil {
		return errNoContext
	}
	if !b.gate.enter() {
		return ErrClosed
	}
	defer b.gate.leave()
	return deliver(ctx, b, r, v)
}

// deliver needs the caller to be inside the gate of the bus.
func deliver[T any](ctx context.Context, b *Bus, r route, v T) error {
	var failed []error
	for s := r.next(); s != nil; s = r.next() {
		if !s.take() {
			continue
		}
		var err error
		if s.queue == nil {
			err = call(ctx, s, v)
		} else {
			err = s.enqueue(ctx, item{ctx: ctx, name: r.name, value: v})
		}
		if err == nil {
			continue
		}
		failed = append(failed, s.failure(r.name, err))
		if s.queue == nil && errors.Is(err, ErrAbort) {
			break
		}
	}
	return errors.Join(failed...)
}

// call leaves the gate of the subscription, however the handler ends.
func call[T any](ctx context.Context, s *Subscription, v T) (err error) {
	err = errGoexit // unless the handler returns
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
		if err == nil {
			s.delivered.Add(1)
		} else {
			s.failed.Add(1)
		}
		s.gate.leave()
	}()
	return s.handler.(func(context.Context, T) error)(ctx, v)
}

// item is an event in a queue.
type item struct {
	ctx   context.Context // the publisher's
	name  string
	value any
}

// enqueue leaves the gate of the subscription if there is no room; else the
// worker does it.
func (s *Subscription) enqueue(ctx context.Context, i item) error {
	s.bus.gate.hold()
	select {
	case s.queue <- i:
		return nil
	default:
	}
	err := ErrFull
	if s.full == Wait {
		select {
		case s.queue <- i:
			return nil
		case <-ctx.Done():
			err = errors.Join(ErrFull, context.Cause(ctx))
		case <-s.bus.workers.Context().Done():
			err = ErrClosed
		}
	}
	s.drop()
	return err
}

func (s *Subscription) drop() {
	s.dropped.Add(1)
	s.gate.leave()
	s.bus.gate.leave()
}

// work delivers what is queued until the subscription is removed and its queue
// is empty.
func (s *Subscription) work(ctx context.Context) {
	ended := false
	defer func() {
		if !ended { // a handler took the goroutine with it
			s.bus.workers.Go(s.name, s.work)
		}
	}()
	for {
		select {
		case i := <-s.queue:
			if s.removed.Load() {
				s.drop()
			} else {
				s.handle(ctx, i)
			}
		case <-s.gate.idle:
			ended = true
			return
		}
	}
}

func (s *Subscription) handle(ctx context.Context, i item) {
	err := errGoexit
	ctx = &deliveryContext{Context: ctx, values: context.WithoutCancel(i.ctx)}
	defer func() {
		// Failing to handle a failure would make the next one, for ever.
		if _, ok := i.value.(*DeliveryError); err != nil && !ok {
			s.bus.emitFailure(ctx, s.failure(i.name, err))
		}
		s.bus.gate.leave()
	}()
	err = s.callQueued(ctx, i.value)
}

// deliveryContext ends with the bus and has the values of the publisher, whose
// own context may end as soon as it has published.
type deliveryContext struct {
	context.Context
	values context.Context
}

func (c *deliveryContext) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
