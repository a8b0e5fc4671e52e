package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc/status"
)

// Endpoint has routes, accepts and dials sessions, and closes them all. Make one
// with [New] and end it with Shutdown or Close.
type Endpoint struct {
	config Config
	limits Limits
	log    *slog.Logger
	sets
	hooks  *hooks // of Plugins and LastPlugins
	router router

	workers *workers     // handlers and other short work
	group   *group.Group // accept loops, session readers, dialling
	relief  relief       // of session readers
	bufs    bufferPool
	ended   callPool
	answers passagePool

	inbounds inboundPool

	handlers     work         // that run, or whose replies are not done with
	running      atomic.Int64 // those that run
	requestBytes atomic.Int64 // that these hold
	counters     counters
	warns        thrift

	life    life
	leaveBy atomic.Pointer[time.Time] // what peers are told; set by the first drain
	drained chan struct{}             // closed when Drain has told every peer

	closing sync.Once // runs the hooks before it
	closed  sync.Once // runs the hooks after it

	mu       sync.Mutex
	last     uint64 // number of the last session
	sessions map[uint64]*Session
	ids      map[string]*Session // those that the application named
	loops    map[*acceptLoop]struct{}
}

// New checks the configuration and makes an endpoint. It starts nothing.
func New(c Config) (*Endpoint, error) {
	e, err := newEndpoint(c)
	if err == nil {
		if err = e.hooks.runAfterNewEndpoint(e); err != nil {
			// Some hooks may have begun what ends with the endpoint.
			err = errors.Join(err, e.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make an endpoint: %w", err)
	}
	return e, nil
}

func newEndpoint(c Config) (*Endpoint, error) {
	c, hooks, err := c.resolve()
	if err != nil {
		return nil, err
	}
	sets, err := c.sets()
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		config: c, limits: c.Limits, sets: sets, hooks: hooks,
		log:      c.Logger.With("endpoint", c.Name),
		workers:  newWorkers(),
		drained:  make(chan struct{}),
		sessions: make(map[uint64]*Session),
		ids:      make(map[string]*Session),
		loops:    make(map[*acceptLoop]struct{}),
	}
	e.handlers.onQuiet = func() {}
	e.group = group.New(context.Background(), func(name string, err error) {
		e.log.Error("goroutine panicked", "goroutine", name, "error", err)
	})
	e.relief.start = func(run func(context.Context)) { e.group.Go("relief", run) }
	e.life.advance(open)
	return e, nil
}

// ServeConn makes a session of a connection that exists already, a socketpair
// for example. In a Shutdown the session counts as one that the peer dialled.
func (e *Endpoint) ServeConn(conn net.Conn) (*Session, error) {
	return e.start(conn, false, watcher{})
}

// Dial connects to "tcp://host:port", "unix:///path" or whatever transports the
// endpoint has. It gives up when ctx ends or after Limits.DialTime.
func (e *Endpoint) Dial(ctx context.Context, address string) (*Session, error) {
	return e.dial(ctx, address, watcher{})
}

func (e *Endpoint) dial(ctx context.Context, address string, watch watcher) (s *Session, err error) {
	if e.life.stage() == over {
		return nil, status.Newf(status.DialFailed, "cannot dial %s: %w", address, ErrClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, e.limits.DialTime)
	defer cancel()
	if err := e.hooks.runBeforeDial(ctx, address, watch.redial); err != nil {
		if !watch.redial {
			return nil, asStatus(status.DialFailed, err)
		}
		note(e.log, "BeforeDial", err)
	}
	s, err = e.connect(ctx, address, watch)
	if err != nil {
		if hookErr := e.hooks.runAfterDialFail(address, err, watch.redial); hookErr != nil {
			note(e.log, "AfterDialFail", hookErr)
		}
		return nil, err
	}
	return s, nil
}

// connect makes one attempt.
func (e *Endpoint) connect(ctx context.Context, address string, watch watcher) (*Session, error) {
	conn, err := e.transports.Dial(ctx, address)
	if err != nil {
		return nil, status.Newf(status.DialFailed, "%w", err)
	}
	s, err := e.start(conn, true, watch)
	if err != nil {
		return nil, status.Newf(status.DialFailed, "cannot dial %s: %w", address, err)
	}
	if err := s.settled(ctx); err != nil {
		cause := fmt.Sprintf("cannot dial %s: %v", address, err)
		if st, ok := status.From(err); ok && st != nil {
			cause = cmp.Or(st.Cause, st.Msg)
		}
		return nil, status.Wrap(status.DialFailed, cause, err)
	}
	return s, nil
}

// Listen opens an address of one of the endpoint's transports, for Serve.
func (e *Endpoint) Listen(ctx context.Context, address string) (net.Listener, error) {
	return e.transports.Listen(ctx, address)
}

var errTooManySessions = errors.New("too many connections")

// start makes a session of conn and closes conn if it cannot.
func (e *Endpoint) start(conn net.Conn, dialed bool, watch watcher) (*Session, error) {
	if err := e.config.Socket.apply(conn); err != nil {
		conn.Close()
		return nil, err
	}
	s := newSession(e, conn, dialed, watch)
	if err := e.add(s); err != nil {
		conn.Close()
		return nil, err
	}
	if s.ready == nil && e.life.stage() != open {
		s.sendGoaway(e.timeToLeave())
	}
	return s, nil
}

// add numbers the session and starts its goroutine.
func (e *Endpoint) add(s *Session) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.stage() == over {
		return ErrClosed
	}
	if len(e.sessions) >= e.limits.Connections {
		return errTooManySessions
	}
	e.last++
	s.number = e.last
	e.sessions[s.number] = s
	s.SetAge(e.config.SessionAge)
	// Under the lock, so that a Close which sees the session sees its goroutine.
	e.group.Go("session", func(context.Context) { s.serve() })
	return nil
}
