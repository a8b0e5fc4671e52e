package rpctest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// patience is how long something that must happen may take on a busy machine.
const patience = 20 * time.Second

// Endpoint closes at the end of the test, which expects nothing to be stuck. It logs
// nothing unless the configuration says where.
func Endpoint(t testing.TB, c rpc.Config) *rpc.Endpoint {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := rpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// Serve serves an address until the endpoint closes, and gives the address with its port.
func Serve(t testing.TB, e *rpc.Endpoint, address string) string {
	t.Helper()
	ln, err := e.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	ServeOn(t, e, ln)
	scheme, _, _ := strings.Cut(address, "://")
	return scheme + "://" + ln.Addr().String()
}

// ServeOn serves a listener until the endpoint closes.
func ServeOn(t testing.TB, e *rpc.Endpoint, ln net.Listener) {
	t.Helper()
	serving := group.New(context.Background(), nil)
	serving.Go("serve", func(context.Context) {
		if err := e.Serve(ln); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	t.Cleanup(func() {
		e.Close()
		if err := serving.Wait(Timeout(t, patience)); err != nil {
			t.Error(err)
		}
	})
}

// OnLoopback serves a TCP port of its own.
func OnLoopback(t testing.TB, e *rpc.Endpoint) string {
	t.Helper()
	return Serve(t, e, "tcp://127.0.0.1:0")
}

// Dial connects to an address.
func Dial(t testing.TB, e *rpc.Endpoint, address string) *rpc.Session {
	t.Helper()
	s, err := e.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Handle registers a route.
func Handle[Req, Res any](t testing.TB, r rpc.Registrar, method string, f func(rpc.Context, Req) (Res, error), opts ...rpc.RouteOption) {
	t.Helper()
	if err := rpc.Handle(r, method, f, opts...); err != nil {
		t.Fatal(err)
	}
}

// HandlePush registers a route for PUSHes.
func HandlePush[Req any](t testing.TB, r rpc.Registrar, method string, f func(rpc.Context, Req) error, opts ...rpc.RouteOption) {
	t.Helper()
	if err := rpc.HandlePush(r, method, f, opts...); err != nil {
		t.Fatal(err)
	}
}

// Code fails the test unless the error has the code, and gives its status.
func Code(t testing.TB, err error, code status.Code) *status.Status {
	t.Helper()
	if got := status.CodeOf(err); got != code {
		t.Fatalf("got %v, want code %d", err, code)
	}
	s, _ := status.From(err)
	return s
}

// Receive fails the test if the channel gives nothing in time.
func Receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("not in %v: %s", patience, what)
	}
	return v
}

// Eventually polls for what no channel tells.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
		<-time.After(time.Millisecond)
	}
}

// Timeout is a context that ends after d.
func Timeout(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}
