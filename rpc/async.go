package rpc

import (
	"context"
	"time"
)

// Async is a call that somebody else makes. It may be asked by any goroutine.
type Async struct {
	done chan struct{}
	err  error
	took time.Duration
}

// Go is [Session.Call] on a goroutine of its own. res must not be used before the call
// is done.
func (s *Session) Go(ctx context.Context, method string, req, res any, opts ...CallOption) *Async {
	return s.e.Async(func() error { return s.Call(ctx, method, req, res, opts...) })
}

// Go is [Client.Call] on a goroutine of its own. res must not be used before the call
// is done.
func (c *Client) Go(ctx context.Context, method string, req, res any, opts ...CallOption) *Async {
	return c.e.Async(func() error { return c.Call(ctx, method, req, res, opts...) })
}

// Async makes a call of any kind on a goroutine of its own, for which Close waits as for
// a handler.
func (e *Endpoint) Async(call func() error) *Async {
	a := &Async{done: make(chan struct{})}
	started := time.Now()
	e.workers.run(func() {
		defer close(a.done)
		a.err = call()
		a.took = time.Since(started)
	})
	return a
}

// Done closes when the call has ended.
func (a *Async) Done() <-chan struct{} { return a.done }

// Wait returns what Call would have returned.
func (a *Async) Wait() error {
	<-a.done
	return a.err
}

// Took waits and tells how long the call took.
func (a *Async) Took() time.Duration {
	<-a.done
	return a.took
}
