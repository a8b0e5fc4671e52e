package httpservice

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/internal/accept"
	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

// Option changes a limit of a service.
type Option func(*limits)

type limits struct {
	readHeader time.Duration
	idle       time.Duration
	maxHeader  int
	quiet      time.Duration
}

// ReadHeaderTimeout limits how long a client may take to send a request's
// header, counted from its first byte. Default 10 s.
func ReadHeaderTimeout(d time.Duration) Option { return func(l *limits) { l.readHeader = d } }

// IdleTimeout limits how long a connection is kept without a request. Default
// 2 min.
func IdleTimeout(d time.Duration) Option { return func(l *limits) { l.idle = d } }

// MaxHeaderBytes limits the size of a request's header. Default 1 MiB.
func MaxHeaderBytes(n int) Option { return func(l *limits) { l.maxHeader = n } }

// Quiet is how long a connection must have been quiet, counted from the begin of
// the drain and from its last byte, before the drain closes it. Default 300 ms.
func Quiet(d time.Duration) Option { return func(l *limits) { l.quiet = d } }

// New returns a service that serves h.
//
// When the sandbox drains, the service accepts no more connections and answers
// every further request on the open ones with "Connection: close". A connection
// without a request is closed once it was quiet for a while (see [Quiet]) and
// nothing unread waits in it. Requests that run may finish until the drain
// deadline; what is left then, connections that a handler has hijacked included,
// is closed and reported by Box.Cut.
//
// A panic in h is logged and fails that request alone.
func New(name string, h http.Handler, opts ...Option) sandbox.Service {
	return NewFunc(name, func(*sandbox.Box) (http.Handler, error) { return h, nil }, opts...)
}

// NewFunc is [New] with a handler that is made anew for each Serve, by a function
// that gets the sandbox's box.
func NewFunc(name string, handler func(*sandbox.Box) (http.Handler, error), opts ...Option) sandbox.Service {
	s := &service{name: name, handler: handler, limits: limits{
		readHeader: 10 * time.Second,
		idle:       2 * time.Minute,
		maxHeader:  http.DefaultMaxHeaderBytes,
	}}
	for _, o := range opts {
		o(&s.limits)
	}
	return s
}

type service struct {
	name    string
	handler func(*sandbox.Box) (http.Handler, error)
	limits  limits
}

func (s *service) Name() string { return s.name }

// Serve serves HTTP on the box's listeners.
func (s *service) Serve(ctx context.Context, box *sandbox.Box) error {
	box.Drain() // says that ctx is to end at the deadline only; the listeners tell of the drain
	listeners, err := accept.Listeners(box)
	if err != nil {
		return err
	}
	h, err := s.handler(box)
	if err != nil {
		return err
	}
	tracker := httpdrain.New(httpdrain.Config{Quiet: s.limits.quiet, Logger: box.Logger()})
	server := s.server(tracker.Handler(h), box.Logger())
	loops := accept.Start(box, listeners, func(ln *sandbox.Listener) error {
		return server.Serve(tracker.Listener(ln))
	})
	box.Served(tracker.Served)
	box.Ready()
	failure := loops.Wait()
	tracker.Drain()
	tracker.Wait(loops.Deadline(ctx), box.Cut)
	return failure
}

func (s *service) server(h http.Handler, l *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.limits.readHeader,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    s.limits.maxHeader,
		ErrorLog:          slog.NewLogLogger(l.Handler(), slog.LevelWarn),
	}
}
