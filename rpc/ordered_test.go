package rpc_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

func TestOrderedRoutesKeepTheOrderOfASession(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		var mu sync.Mutex
		var got []int
		done := make(chan struct{})
		note := func(_ rpc.Context, n int) error {
			mu.Lock()
			defer mu.Unlock()
			if got = append(got, n); len(got) == 500 {
				close(done)
			}
			return nil
		}
		mustHandlePush(t, b.server, "/even", note, rpc.Ordered())
		mustHandlePush(t, b.server, "/odd", note, rpc.Ordered())
		s := b.dial()
		for n := range 500 {
			if err := s.Push(t.Context(), []string{"/even", "/odd"}[n%2], n); err != nil {
				t.Fatal(err)
			}
		}
		within(t, 10*time.Second, "all pushes", done)
		if !slices.IsSorted(got) {
			t.Errorf("out of order: %v", got)
		}
	})
}

// One session's order holds up no other session, and no route without it.
func TestOrderedRoutesDelayOnlyTheirOwn(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	g := newGate(t, b.server, rpc.Ordered())
	first, second := b.dial(), b.dial()
	results := make(chan error, 2)
	for _, s := range []*rpc.Session{first, second} {
		go func() { results <- s.Call(t.Context(), "/gate", nil, nil) }()
		within(t, 10*time.Second, "a handler runs", g.entered)
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
	}
	close(g.open)
	for range 2 {
		if err := within(t, 10*time.Second, "a reply", results); err != nil {
			t.Error(err)
		}
	}
}

// What had no time left when its turn came is not run: a CALL is answered 408 at
// its deadline, a PUSH is dropped.
func TestMessagesThatExpireInTheQueueAreNotRun(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server, rpc.Ordered())
	ran := make(chan string, 10)
	mustHandlePush(t, b.server, "/note", func(_ rpc.Context, s string) error {
		ran <- s
		return nil
	}, rpc.Ordered())
	mustHandle(t, b.server, "/late", func(rpc.Context, any) (any, error) {
		ran <- "late call"
		return nil, nil
	}, rpc.Ordered())
	s := b.dial()
	slow := make(chan error, 1)
	go func() { slow <- s.Call(t.Context(), "/gate", nil, nil) }()
	within(t, 10*time.Second, "the slow one runs", g.entered)
	if err := s.Push(t.Context(), "/note", "late push", rpc.WithMeta("X-Timeout-Ms", "1")); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Call(t.Context(), "/late", nil, nil, rpc.WithMeta("X-Timeout-Ms", "20")), status.HandleTimeout)
	if err := s.Push(t.Context(), "/note", "in time"); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	if got := within(t, 10*time.Second, "the push", ran); got != "in time" {
		t.Errorf("%s ran", got)
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}
