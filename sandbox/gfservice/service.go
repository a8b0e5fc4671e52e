package gfservice

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gogf/gf/v2/net/ghttp"
	"github.com/gogf/gf/v2/os/glog"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/internal/accept"
	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

// Option changes a limit of a service. Limits that ghttp has a setter for, such
// as SetIdleTimeout (default 60 s) and SetMaxHeaderBytes (default 10 KB), are set
// on the server.
type Option func(*httpdrain.Config)

// ReadHeaderTimeout limits how long a client may take to send a request's
// header, counted from its first byte. Default 10 s.
func ReadHeaderTimeout(d time.Duration) Option {
	return func(c *httpdrain.Config) { c.HeaderTimeout = d }
}

// Quiet is how long a connection must have been quiet, counted from the begin of
// the drain and from its last byte, before the drain closes it. Default 300 ms.
func Quiet(d time.Duration) Option { return func(c *httpdrain.Config) { c.Quiet = d } }

// New returns a service that runs a ghttp server with the routes that setup binds
// to it. setup is called for each Serve with a fresh server whose name is the
// sandbox's; it must not call Start, Run, SetAddr, SetPort or SetListener: the
// sockets are those the configuration declares for the sandbox.
//
// Draining is as in httpservice. The server logs to the sandbox's log; the list
// of routes is printed only if setup calls SetDumpRouterMap(true). What goframe
// would end the process for, fails the sandbox instead, unless setup sets a
// logger of its own. No service registry is used unless setup sets one; its
// entry would be removed when the old generation of a reload ends.
func New(name string, setup func(*ghttp.Server) error, opts ...Option) sandbox.Service {
	return NewFunc(name, func(_ *sandbox.Box, s *ghttp.Server) error { return setup(s) }, opts...)
}

// NewFunc is [New] with a setup that also gets the sandbox's box.
func NewFunc(name string, setup func(*sandbox.Box, *ghttp.Server) error, opts ...Option) sandbox.Service {
	s := &service{name: name, setup: setup, config: httpdrain.Config{HeaderTimeout: 10 * time.Second}}
	for _, o := range opts {
		o(&s.config)
	}
	return s
}

type service struct {
	Config
	name   string
	setup  func(*sandbox.Box, *ghttp.Server) error
	config httpdrain.Config
}

func (s *service) Name() string { return s.name }

// Serve runs a fresh ghttp server on the box's listeners.
func (s *service) Serve(ctx context.Context, box *sandbox.Box) error {
	box.Drain() // says that ctx is to end at the deadline only; the listeners tell of the drain
	listeners, err := accept.Listeners(box)
	if err != nil {
		return err
	}
	config := s.config
	config.Logger = box.Logger()
	tracker, in := httpdrain.New(config), newFunnel(listeners)
	box.Served(tracker.Served)
	fatal := make(chan error, 1)
	server, err := s.start(ctx, box, tracker, in, fatal)
	if err != nil {
		return err
	}
	loops := accept.Start(box, listeners, func(ln *sandbox.Listener) error { return in.feed(ln, tracker) })
	box.Go("watch for fatal errors", func(ctx context.Context) {
		select {
		case err := <-fatal:
			loops.Fail(err)
		case <-ctx.Done():
		}
	})
	box.Ready()
	failure := loops.Wait()
	tracker.Drain()
	tracker.Wait(loops.Deadline(ctx), box.Cut)
	return errors.Join(failure, server.Shutdown()) // no connection is left for it to close
}

// start makes a ghttp server and starts it on in. fatal gets what goframe would
// end the process for, then and later.
func (s *service) start(ctx context.Context, box *sandbox.Box, tracker *httpdrain.Tracker, in *funnel, fatal chan error) (*ghttp.Server, error) {
	// ghttp keeps servers by name for the life of the process, and one that has
	// ended cannot start again.
	server := ghttp.GetServer(fmt.Sprintf("%s-%016x", s.name, rand.Uint64()))
	result := make(chan error, 2) // of bind, or of its panic
	// Not box.Go: after a fatal error in a goroutine of ghttp its Start waits for
	// ever. That goroutine is given up, the sandbox is not.
	starter := group.New(ctx, func(name string, err error) { result <- fmt.Errorf("%s: %w", name, err) })
	starter.Go("start of ghttp", func(ctx context.Context) {
		configure(server, s.name, bridge(box.Logger(), fatal))
		result <- s.bind(ctx, box, server, tracker, in)
	})
	select {
	case err := <-result:
		return server, err
	case err := <-fatal:
		return nil, err
	case <-ctx.Done():
		// A setup that does not notice makes the sandbox stuck.
		return nil, errors.Join(context.Cause(ctx), starter.Wait(context.WithoutCancel(ctx)))
	}
}

// bind lets the user set the server up and starts it.
func (s *service) bind(ctx context.Context, box *sandbox.Box, server *ghttp.Server, tracker *httpdrain.Tracker, in *funnel) error {
	if err := s.setup(box, server); err != nil {
		return err
	}
	if err := server.SetListener(in); err != nil {
		return fmt.Errorf("cannot start ghttp: %w", err)
	}
	server.SetHandler(tracker.Handler(http.HandlerFunc(server.GetHandler())).ServeHTTP)
	if err := server.Start(); err != nil {
		return fmt.Errorf("cannot start ghttp: %w", err)
	}
	select {
	case <-in.used: // before it is in its accept loop its Shutdown does nothing
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// configure sets what is the sandbox's business and not goframe's.
func configure(server *ghttp.Server, name string, log *glog.Logger) {
	server.SetName(name) // names the folder of stored sessions, which must outlive a generation
	server.SetGraceful(false)
	server.SetDumpRouterMap(false)
	server.SetLogStdout(false)
	server.SetRegistrar(nil)
	server.SetLogger(log)
}
