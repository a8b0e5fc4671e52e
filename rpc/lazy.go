package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lazyContext is the context of a handler that has no deadline: most never look at it,
// so it costs nothing before somebody does.
type lazyContext struct {
	parent context.Context
	ended  atomic.Bool

	mu     sync.Mutex
	ctx    context.Context // nil until it is asked for
	cancel context.CancelFunc
}

var _ context.Context = (*lazyContext)(nil)

// real is what context.WithCancel would have given from the start.
func (c *lazyContext) real() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancel(c.parent)
		if c.ended.Load() {
			c.cancel()
		}
	}
	return c.ctx
}

// end cancels.
func (c *lazyContext) end() {
	c.ended.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *lazyContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }
func (c *lazyContext) Done() <-chan struct{}       { return c.real().Done() }
func (c *lazyContext) Value(key any) any           { return c.real().Value(key) }

func (c *lazyContext) Err() error {
	if err := c.parent.Err(); err != nil {
		return err
	}
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}
