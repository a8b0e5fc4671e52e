package rpcservice_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/rpcservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

func math(e *rpc.Endpoint) error {
	err := rpc.Handle(e, "/math/add", func(_ rpc.Context, nums []int) (int, error) {
		sum := 0
		for _, n := range nums {
			sum += n
		}
		return sum, nil
	})
	if err != nil {
		return err
	}
	return rpc.Handle(e, "/math/sleep", func(ctx rpc.Context, ms int) (int, error) {
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			return ms, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
}

// caller is an endpoint that only calls.
func caller(t *testing.T) *rpc.Endpoint {
	t.Helper()
	e, err := rpc.New(rpc.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func add(ctx context.Context, call func(context.Context, string, any, any, ...rpc.CallOption) error) error {
	a, b, sum := rand.IntN(1000), rand.IntN(1000), 0
	if err := call(ctx, "/math/add", []int{a, b}, &sum); err != nil {
		return err
	}
	if sum != a+b {
		return fmt.Errorf("%d + %d = %d", a, b, sum)
	}
	return nil
}

func TestDeadlineCutsAndNamesCalls(t *testing.T) {
	b := sandboxtest.Run(t, rpcservice.New("math", math), sandboxtest.Options{})
	e := caller(t)
	s, err := e.Dial(t.Context(), "tcp://"+b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := add(t.Context(), s.Call); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	calls := group.New(t.Context(), nil)
	calls.Go("call", func(ctx context.Context) { result <- s.Call(ctx, "/math/sleep", 20000, nil) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	r := b.Drain(ctx)
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	if len(r.Cut) != 1 || len(r.Stuck) > 0 || !strings.HasPrefix(r.Cut[0], "math: CALL /math/sleep from ") {
		t.Errorf("%q, %q", r.Cut, r.Stuck)
	}
	if err := <-result; err == nil {
		t.Error("a call that was cut says it was not")
	}
}

// Its two seconds over, the sandbox is stuck, and the cut calls are known all the
// same.
func TestHandlerThatNeverReturnsIsNamed(t *testing.T) {
	release := make(chan struct{})
	b, err := sandboxtest.Start(t.Context(), rpcservice.New("math", func(e *rpc.Endpoint) error {
		return rpc.Handle(e, "/hang", func(rpc.Context, int) (int, error) { <-release; return 0, nil })
	}), sandboxtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := caller(t).Dial(t.Context(), "tcp://"+b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	calls := group.New(t.Context(), nil)
	calls.Go("call", func(ctx context.Context) { _ = s.Call(ctx, "/hang", 1, nil) })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	r := b.Drain(ctx)
	if len(r.Cut) != 1 || !strings.Contains(r.Cut[0], "/hang") || !slices.Equal(r.Stuck, []string{"math: Serve"}) {
		t.Errorf("%q, %q", r.Cut, r.Stuck)
	}
	close(release)
	_ = b.Close(t.Context()) // tells once more what was cut
	if err := calls.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPanicInAHandlerFailsThatCallAlone(t *testing.T) {
	b := sandboxtest.Run(t, rpcservice.New("math", func(e *rpc.Endpoint) error {
		if err := rpc.Handle(e, "/boom", func(rpc.Context, int) (int, error) { panic("boom") }); err != nil {
			return err
		}
		return math(e)
	}), sandboxtest.Options{})
	s, err := caller(t).Dial(t.Context(), "tcp://"+b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Call(t.Context(), "/boom", 1, nil); err == nil || strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
	if err := add(t.Context(), s.Call); err != nil || b.Status().State != sandbox.Ready {
		t.Errorf("%v, %s", err, b.Status().State)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestartMakesAFreshEndpoint(t *testing.T) {
	var made []*rpc.Endpoint
	b := sandboxtest.Run(t, rpcservice.New("math", func(e *rpc.Endpoint) error {
		made = append(made, e)
		return math(e)
	}), sandboxtest.Options{})
	client := caller(t).Client("tcp://" + b.Addr())
	for range 5 {
		if err := add(t.Context(), client.Call); err != nil {
			t.Error(err)
		}
		if r, err := b.Restart(t.Context()); err != nil || len(r.Cut) > 0 {
			t.Error(r, err)
		}
	}
	if err := add(t.Context(), client.Call); err != nil || len(slices.Compact(made)) != 6 {
		t.Errorf("%v, %d endpoints", err, len(made))
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	for want, c := range map[string]struct {
		service sandbox.Service
		listen  []sandbox.Listen
	}{
		"declares no socket": {rpcservice.New("math", math), []sandbox.Listen{}},
		"cannot register":    {rpcservice.New("math", func(e *rpc.Endpoint) error { return fmt.Errorf("cannot register: %w", math(e)) }), nil},
		"negative":           {rpcservice.New("math", math, rpcservice.WithConfig(rpc.Config{Limits: rpc.Limits{Message: -1}})), nil},
	} {
		if _, err := sandboxtest.Start(t.Context(), c.service, sandboxtest.Options{Listen: c.listen}); err == nil {
			t.Errorf("%s: started", want)
		} else if want != "negative" && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
