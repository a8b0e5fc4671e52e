package rpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc/status"
)

// Client is an address that has a session whenever one is needed. It dials at
// the first call, dials again when the connection is lost, and obeys GOAWAY: new
// calls move to a new connection, running ones finish on the old one, which is
// closed when its last call has ended. If no other connection can be had the old
// one is used as long as it is open.
type Client struct {
	e       *Endpoint
	address string
	options clientOptions
	pending atomic.Int64 // calls and pushes under way

	mu      sync.Mutex
	current *link    // where calls go; nil while there is none
	attempt *attempt // dialling now; nil if nobody does
	retry   backoff
	closed  bool
	// connected is set once there was a session.
	connected bool
	last      *Session // the current one or the one before
	// attributes are those of every session of the client.
	attributes Attributes

	stop context.CancelCauseFunc
	ctx  context.Context // ends with Close
}

// link is a session with the number of those who use it.
type link struct {
	s       *Session
	users   int
	retired bool // closes when the last user leaves
	resting bool // lookLater is under way
	closing bool // is being closed
}

// Client returns a client for an address as in [Endpoint.Dial]. It does not dial
// yet, and needs no Close unless it was used.
func (e *Endpoint) Client(address string, opts ...ClientOption) *Client {
	c := &Client{e: e, address: address, options: newClientOptions(opts)}
	c.ctx, c.stop = context.WithCancelCause(e.group.Context())
	return c
}

// Address is what the client was made for.
func (c *Client) Address() string { return c.address }

// Attributes are those of every session that the client has in the course of time.
func (c *Client) Attributes() *Attributes { return &c.attributes }

// Session is the one over which calls go now, if there is one.
func (c *Client) Session() (*Session, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.usable(); l != nil {
		return l.s, true
	}
	return nil, false
}

// Pending is how many calls and pushes of the client are under way, those too that wait
// for a connection.
func (c *Client) Pending() int { return int(c.pending.Load()) }

// Call is [Session.Call] on the client's session. A call that was certainly not
// executed because its session ended is made again on a new one, as is one that
// is [Idempotent]. 105 means that there is no connection to be had.
func (c *Client) Call(ctx context.Context, method string, req, res any, opts ...CallOption) error {
	call := c.e.ended.get(opts)
	defer c.e.ended.put(call)
	return c.do(ctx, call, func(s *Session) error { return s.call(ctx, call, method, req, res) })
}

// Push is [Session.Push] on the client's session.
func (c *Client) Push(ctx context.Context, method string, body any, opts ...CallOption) error {
	call := c.e.ended.get(opts)
	defer c.e.ended.put(call)
	return c.do(ctx, call, func(s *Session) error { return s.push(ctx, waitContext, call, method, body) })
}

// mostTries bounds how often one call moves to another session.
const mostTries = 5

// do makes a call by f, which may have to make it again.
func (c *Client) do(ctx context.Context, call *call, f func(*Session) error) error {
	c.pending.Add(1)
	defer c.pending.Add(-1)
	for try := 1; ; try++ {
		l, err := c.acquire(ctx)
		if err != nil {
			return err
		}
		err = f(l.s)
		c.release(l)
		if err == nil || try == mostTries || ctx.Err() != nil || !lost(err, call.options.idempotent) && !turnedAway(err, l.s) {
			return err
		}
		call.clear()
	}
}

// lost tells whether a call failed with its connection and may be made again.
func lost(err error, idempotent bool) bool {
	var s *status.Status
	return errors.As(err, &s) && s.Code == status.ConnectionClosed && (s.Retry || idempotent)
}

// turnedAway tells whether a peer that ends the session has refused the call for that.
func turnedAway(err error, s *Session) bool {
	st, ok := status.From(err)
	return ok && st != nil && st.Code == status.Overloaded && st.Retry && !s.Healthy()
}

// acquire gives a link that stays open until release.
func (c *Client) acquire(ctx context.Context) (*link, error) {
	c.mu.Lock()
	old := c.usable()
	if old != nil {
		old.users++ // it must not close, even if we look for another one
	}
	switch {
	case old != nil && (!old.goingAway() || c.attempt == nil && c.retry.resting()):
		c.mu.Unlock()
		return old, nil
	case c.closed:
		c.mu.Unlock()
		return nil, connectionClosed(ErrClosed, false)
	}
	a := c.dial()
	a.waiting++
	c.mu.Unlock()

	fresh, err := c.await(ctx, a, old)
	switch {
	case old == nil:
		return fresh, err
	case fresh == nil:
		return old, nil
	default:
		c.release(old)
		return fresh, nil
	}
}

// await waits for the outcome of an attempt, not too long if there is an old
// link to fall back to.
func (c *Client) await(ctx context.Context, a *attempt, old *link) (*link, error) {
	var patience <-chan time.Time
	if old != nil {
		t := time.NewTimer(min(timeLeft(ctx, 2*time.Second)/2, time.Second))
		defer t.Stop()
		patience = t.C
	}
	select {
	case <-a.done:
		return a.link, a.err // install has counted us as a user
	case <-ctx.Done():
		c.desert(a)
		return nil, contextEnded(ctx)
	case <-patience:
		c.desert(a)
		return nil, nil
	}
}

// desert takes back a wait for an attempt.
func (c *Client) desert(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.waiting--
	if a.link != nil {
		a.link.users--
		c.settle(a.link)
	}
}

// usable is the current link unless its session has ended; the lock is held.
func (c *Client) usable() *link {
	if c.current != nil && c.current.s.life.stage() != open {
		c.current = nil
	}
	return c.current
}

func (l *link) goingAway() bool {
	select {
	case <-l.s.goingAway:
		return true
	default:
		return false
	}
}

func (c *Client) release(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.users--
	c.settle(l)
}

// retire takes a link out of service; the lock is held.
func (c *Client) retire(l *link) {
	l.retired = true
	c.settle(l)
}

// settle closes a link that nobody uses and nobody will; the lock is held.
func (c *Client) settle(l *link) {
	if l == c.current && l.goingAway() && c.attempt == nil && !c.keeps() && l.users == 0 {
		if c.retry.resting() {
			c.lookLater(l)
			return
		}
		c.current, l.retired = nil, true
	}
	if !l.retired || l.users > 0 || l.closing {
		return
	}
	l.closing = true
	// The peer may still have handlers of ours at work: let them finish.
	c.e.group.Go("retire", func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, c.e.limits.DrainTime)
		defer cancel()
		l.s.leave(ctx)
		l.s.Close()
	})
}

// lookLater looks at a link again after the client has rested; the lock is held.
func (c *Client) lookLater(l *link) {
	if l.resting {
		return
	}
	l.resting = true
	c.e.group.Go("rest", func(context.Context) {
		t := time.NewTimer(moveTime)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.ctx.Done():
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		l.resting = false
		c.look(l)
	})
}

// Close lets no further call begin and closes the session in order; calls that
// wait fail. It does not wait, and a second Close does nothing. It always
// returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.stop(ErrClosed)
	if c.current != nil {
		c.current.s.Close()
	}
	return nil
}
