package registrytest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/dserver/dserver/registry"
)

// Harness is what an implementation brings to the suite.
type Harness struct {
	// Start makes an empty store for one test and returns a function that opens
	// clients of it. The suite closes the clients.
	Start func(t *testing.T) (open func(t *testing.T) registry.Registry)

	// TTL is the time to live that the clients use.
	TTL time.Duration

	// Slack is how much later than promised things may happen.
	Slack time.Duration

	// Around runs one test, if it is not nil: in a bubble of synctest, say.
	Around func(t *testing.T, f func(t *testing.T))
}

// Cutter is a client that can be cut off from its store and connected again.
// While it is cut off its attempts fail with registry.ErrUnavailable, and what it
// registered is not renewed; the store and its other clients go on.
type Cutter interface {
	Cut(off bool)
}

// Run tests an implementation.
func Run(t *testing.T, h Harness) {
	around := h.Around
	if around == nil {
		around = func(t *testing.T, f func(t *testing.T)) { f(t) }
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			around(t, func(t *testing.T) { c.run(&suite{T: t, Harness: h, connect: h.Start(t)}) })
		})
	}
}

// suite is one test that runs.
type suite struct {
	*testing.T
	Harness
	connect func(t *testing.T) registry.Registry
}

const service = "users"

func node(id string) registry.Node {
	return registry.Node{ID: id, Address: "10.0.0.1:80", Version: "1", Metadata: map[string]string{"id": id}}
}

// client opens one that is closed when the test ends. Tests that cut it off
// connect it again or expect the error of closing themselves.
func (s *suite) client() registry.Registry {
	s.Helper()
	r := s.connect(s.T)
	s.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			s.Errorf("cannot close the client: %v", err)
		}
	})
	return r
}

// cut cuts a client off, or skips the test if that cannot be done.
func (s *suite) cut(r registry.Registry) (connect func()) {
	s.Helper()
	c, ok := r.(Cutter)
	if !ok {
		s.Skip("the clients are no Cutters")
	}
	c.Cut(true)
	connect = func() { c.Cut(false) }
	s.Cleanup(connect)
	return connect
}

// context ends when all that a test waits for should long have happened.
func (s *suite) context() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 10*(s.TTL+s.Slack))
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) register(r registry.Registry, n registry.Node) registry.Registration {
	s.Helper()
	g, err := r.Register(s.context(), service, n)
	if err == nil {
		err = g.Wait(s.context())
	}
	if err != nil {
		s.Fatal(err)
	}
	return g
}

func (s *suite) close(g registry.Registration) {
	s.Helper()
	if err := g.Close(s.context()); err != nil {
		s.Fatal(err)
	}
}

// watch is a watch that the test pulls at.
type watch struct {
	*suite
	next func() (registry.Service, error, bool)
	stop func()
}

func (s *suite) watch(ctx context.Context, r registry.Registry) *watch {
	next, stop := iter.Pull2(r.Watch(ctx, service))
	s.Cleanup(stop)
	return &watch{s, next, stop}
}

// until takes snapshots until one has the nodes with these ids, no others.
func (w *watch) until(ids ...string) registry.Service {
	w.Helper()
	var last registry.Service
	for {
		now, err, ok := w.next()
		if err != nil || !ok {
			w.Fatalf("the watch ends with %v before it has nodes %q; the last it had is %+v", err, ids, last)
		}
		if has(now, ids) {
			return now
		}
		last = now
	}
}

// has tells whether the nodes are those, in order.
func has(s registry.Service, ids []string) bool {
	if s.Name != service || len(s.Nodes) != len(ids) {
		return false
	}
	for i, id := range ids {
		if s.Nodes[i].ID != id {
			return false
		}
	}
	return true
}

// expect looks up once and compares.
func (s *suite) expect(r registry.Registry, ids ...string) registry.Service {
	s.Helper()
	now, err := r.Lookup(s.context(), service)
	if err != nil {
		s.Fatal(err)
	}
	if !has(now, ids) {
		s.Errorf("got %+v, want nodes %q", now, ids)
	}
	return now
}

// within fails if more than the limit and the slack have passed.
func (s *suite) within(start time.Time, limit time.Duration, what string) {
	s.Helper()
	if took := time.Since(start); took > limit+s.Slack {
		s.Errorf("%s took %v, want %v at most", what, took, limit)
	}
}
