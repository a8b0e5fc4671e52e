package host

import (
	"context"
	"sync"
)

// turn is a lock that one can stop waiting for. Make one with newTurn.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits until nobody else has the turn, or until ctx ends.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeAll takes several turns in their order, or none of them.
func takeAll(ctx context.Context, turns ...turn) (give func(), err error) {
	for i, t := range turns {
		if err := t.take(ctx); err != nil {
			giveAll(turns[:i])
			return nil, err
		}
	}
	return func() { giveAll(turns) }, nil
}

func giveAll(turns []turn) {
	for _, t := range turns {
		t.give()
	}
}

// give passes the turn on.
func (t turn) give() { <-t }

// callers are those who wait for a turn on behalf of somebody at the control
// socket. They can be sent away, to ask another image of this process.
type callers struct {
	mu   sync.Mutex
	stay context.Context
	send context.CancelFunc
}

func newCallers() *callers {
	c := &callers{}
	c.welcome()
	return c
}

// welcome lets callers wait, again.
func (c *callers) welcome() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stay, c.send = context.WithCancel(context.Background())
}

// sendAway ends the waiting of all.
func (c *callers) sendAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send()
}

// within gives a context for one caller's waiting; its cause is errMoved when he is
// sent away.
func (c *callers) within(ctx context.Context) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.stay, func() { cancel(errMoved) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
