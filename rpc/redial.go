package rpc

import (
	"context"
	"fmt"
	"time"

	"github.com/dserver/dserver/rpc/status"
)

// ClientOption changes a client when it is made.
type ClientOption func(*clientOptions)

type clientOptions struct {
	onConnect func(ctx context.Context, s *Session) error
	redial    Redial
}

// Redial says how a client dials. A zero field takes its default.
type Redial struct {
	Attempts int           // in a row without success before a call fails with 105; default 3
	Wait     time.Duration // after the first failure; it doubles from one to the next; default 50 ms
	MaxWait  time.Duration // the longest wait; default 2 s
}

func newClientOptions(opts []ClientOption) (o clientOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	if o.redial.Attempts <= 0 {
		o.redial.Attempts = 3
	}
	if o.redial.Wait <= 0 {
		o.redial.Wait = 50 * time.Millisecond
	}
	if o.redial.MaxWait <= 0 {
		o.redial.MaxWait = 2 * time.Second
	}
	return o
}

// OnConnect runs f on every new session before calls use it, to subscribe again
// for example. If f fails the session is closed and the attempt has failed. A
// client with OnConnect keeps a connection once it has had one: it dials again by
// itself.
func OnConnect(f func(ctx context.Context, s *Session) error) ClientOption {
	return func(o *clientOptions) { o.onConnect = f }
}

// WithRedial says how to dial.
func WithRedial(r Redial) ClientOption {
	return func(o *clientOptions) { o.redial = r }
}

// backoff slows a client down that dials in vain or too often.
type backoff struct {
	failures int       // in a row
	until    time.Time // no hurry before
	moves    time.Time // every move to another session puts this later by moveTime
}

// A client may move fifty times in a row and then fifty times a second: a server
// that says GOAWAY on every new connection must not make it dial for each call.
const (
	moveTime  = 20 * time.Millisecond
	mostMoves = 50
)

// resting tells whether a session that works should rather be kept.
func (b *backoff) resting() bool {
	now := time.Now()
	return now.Before(b.until) || b.moves.Sub(now) > mostMoves*moveTime
}

func (b *backoff) succeeded() {
	b.failures, b.until = 0, time.Time{}
	if now := time.Now(); b.moves.Before(now) {
		b.moves = now
	}
	b.moves = b.moves.Add(moveTime)
}

func (b *backoff) failed(r Redial) time.Duration {
	wait := min(r.Wait<<min(b.failures, 16), r.MaxWait)
	b.failures++
	b.until = time.Now().Add(wait)
	return wait
}

// attempt is a search for one new session, shared by all who wait for it.
type attempt struct {
	done    chan struct{}
	waiting int   // those who will be users of the link
	link    *link // set when done closes, unless err is
	err     error
}

// dial joins the attempt under way or starts one; the lock is held.
func (c *Client) dial() *attempt {
	if c.attempt == nil {
		a := &attempt{done: make(chan struct{})}
		c.attempt = a
		c.e.group.Go("dial", func(context.Context) { c.search(a) })
	}
	return c.attempt
}

// search dials until it has a session or too many attempts have failed.
func (c *Client) search(a *attempt) {
	var err error
	for try := 1; ; try++ {
		var l *link
		if l, err = c.connect(); err == nil {
			c.install(a, l)
			return
		}
		c.mu.Lock()
		wait := c.retry.failed(c.options.redial)
		c.mu.Unlock()
		if try >= c.options.redial.Attempts {
			break
		}
		select {
		case <-time.After(wait):
			continue
		case <-c.ctx.Done():
			err = status.Newf(status.DialFailed, "cannot dial %s: %w", c.address, context.Cause(c.ctx))
		}
		break
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = nil
	a.err = err
	close(a.done)
	if c.current == nil && c.connected && !c.closed && c.keeps() {
		c.e.group.Go("redial", c.dialLater)
	}
}

// dialLater goes on for a client that keeps a connection, after a rest.
func (c *Client) dialLater(context.Context) {
	select {
	case <-time.After(c.options.redial.MaxWait):
	case <-c.ctx.Done():
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil && !c.closed && c.keeps() {
		c.dial()
	}
}

// connect makes one session ready for calls.
func (c *Client) connect() (*link, error) {
	l := new(link)
	c.mu.Lock()
	redial := c.connected
	c.mu.Unlock()
	s, err := c.e.dial(c.ctx, c.address, watcher{
		goingAway: func() { c.peerGoesAway(l) },
		ended:     func() { c.sessionEnded(l) },
		redial:    redial, attributes: &c.attributes,
	})
	if err != nil {
		return nil, err
	}
	l.s = s
	if c.options.onConnect != nil {
		if err := c.runOnConnect(s); err != nil {
			s.Close()
			return nil, status.Newf(status.DialFailed, "cannot use the new session to %s: %w", c.address, err)
		}
	}
	return l, nil
}

func (c *Client) runOnConnect(s *Session) (err error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.e.limits.DialTime)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("OnConnect panicked: %v", v)
		}
	}()
	return c.options.onConnect(ctx, s)
}

// install makes l the current link and retires the one before.
func (c *Client) install(a *attempt, l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.current
	c.current, c.attempt, c.connected = l, nil, true
	c.keepID(l.s)
	c.retry.succeeded()
	l.users = a.waiting
	a.link = l
	close(a.done)
	if c.closed {
		l.s.Close()
	}
	if old != nil {
		c.retire(old)
	}
	// What the watcher saw before l was current is seen to now.
	c.look(l)
}

// keepID gives a new session the name of the one before; the lock is held.
func (c *Client) keepID(s *Session) {
	if id := c.id(); id != "" && s.id.Load() == nil {
		c.e.name(s, id) // the former session may finish what it has
	}
	c.last = s
}

// id is what the application called the session before.
func (c *Client) id() string {
	if c.last == nil {
		return ""
	}
	if id := c.last.id.Load(); id != nil {
		return *id
	}
	return ""
}

// peerGoesAway moves an idle client: nobody else would close the old session.
func (c *Client) peerGoesAway(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look(l)
}

// sessionEnded dials again for a client that keeps a connection.
func (c *Client) sessionEnded(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look(l)
}

// look acts on the state of the current session; the lock is held.
func (c *Client) look(l *link) {
	if l != c.current || c.closed {
		return
	}
	lost := l.s.life.stage() != open || l.goingAway()
	switch {
	case !lost:
	case !c.keeps():
		c.settle(l)
	case c.retry.resting():
		c.lookLater(l)
	default:
		c.dial()
	}
}

// keeps tells whether the client wants a connection even without a call.
func (c *Client) keeps() bool {
	return c.options.onConnect != nil && c.e.life.stage() == open
}
