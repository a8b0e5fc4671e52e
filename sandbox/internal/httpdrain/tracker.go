package httpdrain

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a [Tracker] works. The zero value works.
type Config struct {
	// Quiet is how long a connection without a request must have been quiet,
	// since the drain began and since its last byte, to be closed. Default 300 ms.
	Quiet time.Duration
	// HeaderTimeout limits the time from the first byte of a request (for a new
	// connection: from accept) to the end of its header. Default 0: no limit, for
	// servers that have their own.
	HeaderTimeout time.Duration
	// Logger gets a line with the stack for each handler that panics. Default:
	// discard.
	Logger *slog.Logger
}

// Tracker knows the connections of one HTTP server. Make one with [New].
type Tracker struct {
	config   Config
	draining atomic.Bool
	served   atomic.Int64

	mu    sync.Mutex // taken after a conn's, never before
	began time.Time  // of the drain
	next  uint64     // number of the next connection
	conns map[*conn]struct{}
	empty chan struct{} // closed when the drain has begun and no connection is left
}

// New returns a tracker that has nothing to track yet.
func New(c Config) *Tracker {
	if c.Quiet == 0 {
		c.Quiet = 300 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Tracker{config: c, conns: make(map[*conn]struct{}), empty: make(chan struct{})}
}

// Listener returns ln with its connections tracked.
func (t *Tracker) Listener(ln net.Listener) net.Listener { return &listener{Listener: ln, tracker: t} }

type listener struct {
	net.Listener
	tracker *Tracker
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.tracker.Track(c), nil
}

// Track returns c with what happens on it noted. It must be closed.
func (t *Tracker) Track(c net.Conn) net.Conn {
	tc := &conn{Conn: c, tracker: t}
	t.mu.Lock()
	t.next++
	tc.number = t.next
	t.conns[tc] = struct{}{}
	t.mu.Unlock()
	tc.admit()
	return tc
}

func (t *Tracker) forget(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
	t.checkEmpty()
}

// checkEmpty closes empty if it is time; t.mu is held.
func (t *Tracker) checkEmpty() {
	if !t.draining.Load() || len(t.conns) > 0 {
		return
	}
	select {
	case <-t.empty:
	default:
		close(t.empty)
	}
}

// Served is how many requests have been answered so far.
func (t *Tracker) Served() int64 { return t.served.Load() }

// Handler returns h with its requests tracked. A panic in h is logged with its
// stack and answered with 500, or by closing the connection if the response had
// begun; http.ErrAbortHandler does what it always does.
func (t *Tracker) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, r := connOf(r)
		if c == nil { // not one of our connections, such as in a test
			h.ServeHTTP(w, r)
			return
		}
		c.beginRequest(r)
		rw := &response{ResponseWriter: w, conn: c}
		defer c.endRequest()
		defer t.served.Add(1)
		defer rw.finish()
		defer t.answerPanic(rw, r)
		h.ServeHTTP(rw, r)
	})
}

func (t *Tracker) answerPanic(w *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler {
		t.config.Logger.Error("panic in a handler", "panic", v, "method", r.Method, "path", r.URL.Path, "stack", string(debug.Stack()))
		if !w.begun && !w.conn.isHijacked() {
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
	}
	// Too late for an answer: a broken connection must tell the client that the
	// response is not whole.
	w.conn.abort()
}

// Drain begins to let the connections go. The caller sees to it that no more are
// accepted.
func (t *Tracker) Drain() {
	t.mu.Lock()
	if t.draining.Load() {
		t.mu.Unlock()
		return
	}
	t.draining.Store(true)
	t.mu.Unlock()
	for _, c := range t.all() { // later ones see draining by themselves
		c.beginDrain()
	}
}

// Wait waits until all connections have gone and all handlers have returned. It
// is for after Drain, when the last accept loop has ended. When ctx ends the
// connections that are left are closed; cut is told of each that had a request
// or was hijacked, in the order they were accepted, and Wait goes on waiting for
// the handlers.
func (t *Tracker) Wait(ctx context.Context, cut func(what string)) {
	t.mu.Lock()
	t.checkEmpty()
	t.mu.Unlock()
	select {
	case <-t.empty:
		return
	case <-ctx.Done():
	}
	for _, c := range t.all() {
		if what := c.kill(); what != "" {
			cut(what)
		}
	}
	<-t.empty
}

func (t *Tracker) all() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	return all
}
