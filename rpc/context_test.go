package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

// TestAContextMayBeKept: what a handler leaves to another goroutine stays what it was,
// whenever that looks at it, while messages are used again all around.
func TestAContextMayBeKept(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	var kept sync.WaitGroup
	type key struct{}
	keep := func(ctx rpc.Context, n int) (int, error) {
		asked := n%5 == 0 && ctx.Done() != nil
		kept.Go(func() {
			want := fmt.Sprint(n)
			for asked && ctx.Err() == nil {
				runtime.Gosched()
			}
			for range 100 {
				if err := ctx.Err(); asked && !errors.Is(err, context.Canceled) {
					t.Errorf("%d had ended, now it has %v", n, err)
				}
				runtime.Gosched()
			}
			for range n % 4 {
				if ctx.Meta("n") != want || ctx.Metadata().Value("n") != want {
					t.Errorf("metadata of %d: %q", n, ctx.Meta("n"))
				}
				time.Sleep(time.Duration(n%50) * 10 * time.Microsecond)
			}
			if n%3 == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Second):
					t.Errorf("the context of %d does not end", n)
				}
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("%d: %v", n, ctx.Err())
				}
				ctx.SetCodec('x') // which would fail the call
			}
			derived, cancel := context.WithCancel(context.WithValue(ctx, key{}, n))
			defer cancel()
			if got := derived.Value(key{}); got != n || ctx.Value(key{}) != nil {
				t.Errorf("value of %d: %v, %v", n, got, ctx.Value(key{}))
			}
			ctx.SetMeta("late", "x")
			if ctx.Method() != "/keep" && ctx.Method() != "/keep/inline" || ctx.Session() == nil || ctx.Codec() != 'j' {
				t.Errorf("%d: %s %c", n, ctx.Method(), ctx.Codec())
			}
		})
		return n, nil
	}
	mustHandle(t, b.server, "/keep", keep)
	mustHandle(t, b.server, "/keep/inline", keep, rpc.Inline())
	mustHandle(t, b.server, "/other", func(ctx rpc.Context, n int) (string, error) { return ctx.Meta("n"), nil })
	s := b.dial()
	var number atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 200 {
				n := int(number.Add(1))
				method := []string{"/keep", "/keep/inline"}[n%2]
				if err := s.Call(t.Context(), method, n, nil, rpc.WithMeta("n", fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
				var got string
				if err := s.Call(t.Context(), "/other", n, &got, rpc.WithMeta("n", fmt.Sprint(-n))); err != nil || got != fmt.Sprint(-n) {
					t.Errorf("%d: got %q, %v", n, got, err)
				}
			}
		})
	}
	all.Wait()
	kept.Wait()
}

// TestCancelledCallsDoNotCancelOthers whose message has the same memory.
func TestCancelledCallsDoNotCancelOthers(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	mustHandle(t, b.server, "/short", func(rpc.Context, int) (int, error) { return 0, nil })
	mustHandle(t, b.server, "/look", func(ctx rpc.Context, _ int) (int, error) {
		for range 20 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			time.Sleep(20 * time.Microsecond)
		}
		return 0, nil
	})
	s := b.dial()
	if err := s.Call(t.Context(), "/short", 0, nil); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				call := s.Go(ctx, "/short", 0, nil)
				cancel()
				<-call.Done()
			}
		})
		all.Go(func() {
			for range 50 {
				if err := s.Call(t.Context(), "/look", 0, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
