package rpc

import (
	"context"
	"sync/atomic"
	"time"
)

// lazyContext is the context of a handler that has no deadline: most never look at it,
// so it costs nothing before somebody does.
type lazyContext struct {
	parent context.Context
	asked  atomic.Pointer[askedContext] // nil until somebody asks
	ended  atomic.Bool
}

// askedContext is what context.WithCancel gave.
type askedContext struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*lazyContext)(nil)

// real is what context.WithCancel would have given from the start.
func (c *lazyContext) real() context.Context {
	if asked := c.asked.Load(); asked != nil {
		return asked.Context
	}
	asked := new(askedContext)
	asked.Context, asked.cancel = context.WithCancel(c.parent)
	if !c.asked.CompareAndSwap(nil, asked) {
		asked.cancel()
		return c.asked.Load().Context
	}
	if c.ended.Load() {
		asked.cancel()
	}
	return asked.Context
}

// end cancels.
func (c *lazyContext) end() {
	c.ended.Store(true)
	if asked := c.asked.Load(); asked != nil {
		asked.cancel()
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
