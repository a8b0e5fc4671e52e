package sandbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// service is a Service made of functions.
type service struct {
	name   string
	serve  func(ctx context.Context, box *sandbox.Box) error
	health func(ctx context.Context) error
}

func (s *service) Name() string { return s.name }

func (s *service) Serve(ctx context.Context, box *sandbox.Box) error { return s.serve(ctx, box) }

func (s *service) Health(ctx context.Context) error {
	if s.health == nil {
		return nil
	}
	return s.health(ctx)
}

// serveUntilDrain is the plainest good service.
func serveUntilDrain(_ context.Context, box *sandbox.Box) error {
	drain := box.Drain()
	box.Ready()
	<-drain
	return nil
}

func entry(name string, serve func(context.Context, *sandbox.Box) error) sandbox.Entry {
	s := &service{name: name, serve: serve}
	return sandbox.Entry{Name: name, New: func() sandbox.Service { return s }}
}

// journal collects what happens, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
	log   bytes.Buffer
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(b)
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func (j *journal) logged() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.String()
}

func (j *journal) env() sandbox.Env {
	h := slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})
	return sandbox.Env{
		Mode:    "single",
		Logger:  func(name string) *slog.Logger { return slog.New(h).With("sandbox", name) },
		Observe: func(s sandbox.Status) { j.add(s.Name + " " + string(s.State)) },
	}
}

func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := j.take(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func newRuntime(t *testing.T, env sandbox.Env, entries ...sandbox.Entry) *sandbox.Runtime {
	t.Helper()
	r, err := sandbox.NewRuntime(entries, env)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func start(t *testing.T, r *sandbox.Runtime) {
	t.Helper()
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, r *sandbox.Runtime, name string) sandbox.State {
	t.Helper()
	for _, s := range r.Status() {
		if s.Name == name {
			return s.State
		}
	}
	t.Fatalf("no sandbox %q", name)
	return ""
}

// sockets owns one shared listening socket and gives out copies of it.
type sockets struct{ ln net.Listener }

func (s sockets) Listener(context.Context, string, sandbox.Listen) (net.Listener, error) {
	return inherit.Listener(s.ln.(syscall.Conn))
}

func (s sockets) PacketConn(context.Context, string, sandbox.Listen) (net.PacketConn, error) {
	return nil, net.ErrClosed
}
