package rpcservice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/internal/accept"
)

// closeTime is the default of rpc.Limits.CloseTime here: shorter than the two
// seconds a sandbox has after its deadline, so that what was cut is told in time.
const closeTime = 1500 * time.Millisecond

// Option changes a service.
type Option func(*rpc.Config)

// WithConfig describes the endpoint. An empty Name becomes that of the sandbox,
// a nil Logger the sandbox's; Limits.CloseTime is 1.5 s by default.
func WithConfig(c rpc.Config) Option { return func(to *rpc.Config) { *to = c } }

// New returns a service with the routes that setup registers. setup is called for
// each Serve with a fresh endpoint.
//
// When the sandbox drains, the endpoint accepts no more sessions, tells its peers
// with GOAWAY, and answers everything until they have left. What still runs at
// the drain deadline is closed; the calls that this cuts are reported by Box.Cut.
// A session without a call loses nothing by it and is not reported.
func New(name string, setup func(*rpc.Endpoint) error, opts ...Option) sandbox.Service {
	return NewFunc(name, func(_ *sandbox.Box, e *rpc.Endpoint) error { return setup(e) }, opts...)
}

// NewFunc is [New] with a setup that also gets the sandbox's box.
func NewFunc(name string, setup func(*sandbox.Box, *rpc.Endpoint) error, opts ...Option) sandbox.Service {
	s := &service{name: name, setup: setup}
	for _, o := range opts {
		o(&s.config)
	}
	return s
}

type service struct {
	name   string
	setup  func(*sandbox.Box, *rpc.Endpoint) error
	config rpc.Config
}

func (s *service) Name() string { return s.name }

// Serve runs a fresh endpoint on the box's listeners.
func (s *service) Serve(ctx context.Context, box *sandbox.Box) error {
	box.Drain() // says that ctx is to end at the deadline only; the listeners tell of the drain
	listeners, err := accept.Listeners(box)
	if err != nil {
		return err
	}
	e, err := s.endpoint(box)
	if err != nil {
		return err
	}
	box.Served(func() int64 { return e.Stats().Handled })
	loops := accept.Start(box, listeners, func(ln *sandbox.Listener) error { return e.Serve(ln) })
	box.Ready()
	failure := loops.Wait() // now every connection has become a session and can be told to go
	shutdown(loops.Deadline(ctx), e, box)
	return failure
}

func (s *service) endpoint(box *sandbox.Box) (*rpc.Endpoint, error) {
	c := s.config
	if c.Name == "" {
		c.Name = box.Name()
	}
	if c.Logger == nil {
		c.Logger = box.Logger()
	}
	if c.Limits.CloseTime == 0 {
		c.Limits.CloseTime = closeTime
	}
	e, err := rpc.New(c)
	if err != nil {
		return nil, err
	}
	if err := s.setup(box, e); err != nil {
		return nil, errors.Join(err, e.Close()) // setup may have dialled
	}
	return e, nil
}

// shutdown drains the endpoint, reports what ctx's end cut, and returns when no
// handler is left.
func shutdown(ctx context.Context, e *rpc.Endpoint, box *sandbox.Box) {
	err := e.Shutdown(ctx)
	var cut *rpc.CutError
	if errors.As(err, &cut) {
		for _, c := range cut.Calls {
			from := "from"
			if !c.Incoming {
				from = "to"
			}
			box.Cut(fmt.Sprintf("CALL %s %s %s after %v", c.Method, from, c.Peer, c.Age.Round(time.Millisecond)))
		}
	}
	// Close gives up after a while. A sandbox whose handlers run on must not count
	// as stopped: it would be started again beside them.
	for err := e.Close(); err != nil; err = e.Close() {
		box.Logger().Warn("handlers do not return", "error", err)
	}
}
