package ctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/dserver/dserver/internal/inherit"
)

// ErrClosed is what [Server.Serve] returns after Drain, Shutdown or Close.
var ErrClosed = errors.New("control server closed")

const (
	headerTime = 5 * time.Second  // for a request's header to arrive
	bodyTime   = 10 * time.Second // for its body
	lineTime   = 10 * time.Second // for a follower to take one line
	maxHeader  = 64 << 10         // bytes
	maxBody    = 1 << 20          // bytes
	maxStreams = 256              // followers at one time
)

// Config is what a [Server] can be told. The zero value works.
type Config struct {
	// Logger gets one line for each request that changes something, and what
	// goes wrong. Default: nothing is logged.
	Logger *slog.Logger
	// Allow tells whether p may use a route that asks for a. Default: the user
	// that runs this process and root may do everything, nobody else anything.
	Allow func(p Peer, a Access) bool
}

// Server answers the control API for one master. Make one with [NewServer].
type Server struct {
	master Master
	log    *slog.Logger
	allow  func(Peer, Access) bool
	http   *http.Server

	// ending is done once streams have to end.
	ending context.Context
	end    context.CancelFunc

	mu      sync.Mutex
	closed  bool
	loops   map[listener]struct{}
	conns   int
	streams int
	changed chan struct{} // closed and made anew when loops or conns fall
}

// listener is what Serve needs: a unix listener whose Accept can be ended
// without closing the socket.
type listener interface {
	net.Listener
	SetDeadline(time.Time) error
}

// NewServer returns a server for m.
func NewServer(m Master, c Config) *Server {
	s := &Server{master: m, log: c.Logger, allow: c.Allow, loops: make(map[listener]struct{}), changed: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.allow == nil {
		s.allow = ownerOrRoot
	}
	s.ending, s.end = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return withPeer(ctx, c.(*conn).peer)
		},
	}
	// One request a connection: an idle one could be closed under the next
	// request when the socket goes over to another process.
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve answers requests on ln, a unix listener, until Drain, Shutdown or Close,
// and then returns [ErrClosed]. The caller closes ln: its socket may live on in
// another process, which then answers what has not been accepted here.
func (s *Server) Serve(ln net.Listener) error {
	if !peersKnown {
		return fmt.Errorf("cannot serve control requests: peer credentials: %w", errors.ErrUnsupported)
	}
	l, ok := ln.(listener)
	if !ok || ln.Addr().Network() != "unix" {
		return fmt.Errorf("cannot serve control requests on %s: not a unix listener", ln.Addr().Network())
	}
	if !s.enter(l) {
		return ErrClosed
	}
	defer s.leave(l)
	err := s.http.Serve(&gate{listener: l, server: s})
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return ErrClosed
	}
	return fmt.Errorf("cannot serve control requests: %w", err)
}

// Drain stops accepting and tells streams to end. It returns once every
// connection that was accepted is being answered; it does not wait for answers.
func (s *Server) Drain() {
	s.mu.Lock()
	s.closed = true
	for l := range s.loops {
		l.SetDeadline(time.Unix(1, 0)) // fails only on a closed listener, whose Accept has ended
	}
	s.mu.Unlock()
	s.end()
	s.wait(context.Background(), func() bool { return len(s.loops) == 0 })
}

// Settle waits until at most n requests are still being answered, and reports
// whether it came to that before ctx ended. After Drain it tells a master which is
// about to become another program that it may: n are those who wait for this.
func (s *Server) Settle(ctx context.Context, n int) bool {
	return s.wait(ctx, func() bool { return s.conns <= n })
}

// Shutdown drains and waits until every answer has been written. When ctx ends
// before that it cuts the rest and says how many.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	if s.Settle(ctx, 0) {
		return nil
	}
	s.mu.Lock()
	n := s.conns
	s.mu.Unlock()
	return errors.Join(fmt.Errorf("cannot finish every control request, cut %d: %w", n, context.Cause(ctx)), s.http.Close())
}

// Close drains and cuts what runs.
func (s *Server) Close() error {
	s.Drain()
	return s.http.Close()
}

func (s *Server) enter(l listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	l.SetDeadline(time.Time{}) // another server may have drained on it; a closed one shows at Accept
	s.loops[l] = struct{}{}
	return true
}

func (s *Server) leave(l listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.loops, l)
	s.announce()
}

// wait reports whether ok, which is called under the lock, came true before ctx
// ended.
func (s *Server) wait(ctx context.Context, ok func() bool) bool {
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// announce wakes whoever waits; the lock is held.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// gate counts connections from the moment they are accepted, and ends the accept
// loop without closing the socket.
type gate struct {
	listener
	server *Server
}

func (g *gate) Accept() (net.Conn, error) {
	nc, err := g.listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, server: g.server, peer: Peer{Pid: -1, UID: -1, GID: -1}}
	if sc, ok := nc.(syscall.Conn); ok {
		if p, err := inherit.Peer(sc); err == nil {
			c.peer = Peer(p)
		}
	}
	g.server.mu.Lock()
	g.server.conns++
	g.server.mu.Unlock()
	return c, nil
}

// Close leaves the socket open: it is the caller's of Serve.
func (g *gate) Close() error { return nil }

type conn struct {
	net.Conn
	server *Server
	peer   Peer // all -1 if the kernel did not tell: nobody
	once   sync.Once
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.conns--
		c.server.announce()
	})
	return err
}
