package memory_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/registry"
	"github.com/dserver/dserver/registry/memory"
	"github.com/dserver/dserver/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	const ttl = 30 * time.Second
	registrytest.Run(t, registrytest.Harness{
		TTL:    ttl,
		Around: synctest.Test,
		Start: func(t *testing.T) func(*testing.T) registry.Registry {
			store := memory.NewStore()
			return func(*testing.T) registry.Registry { return memory.Connect(store, ttl) }
		},
	})
}

func TestTheZeroOptionsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 2 { // each has a store of its own
			r, err := memory.New(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close(context.Background())
			if s, err := r.Lookup(t.Context(), "users"); err != nil || len(s.Nodes) != 0 {
				t.Errorf("got %+v, %v", s, err)
			}
			g, err := r.Register(t.Context(), "users", registry.Node{Address: "10.0.0.1:80"})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour) // of the bubble: hundreds of renewals
			if s, err := r.Lookup(t.Context(), "users"); err != nil || len(s.Nodes) != 1 || g.Err() != nil {
				t.Errorf("got %+v, %v, %v", s, err, g.Err())
			}
		}
	})
}

func TestAShortTimeToLiveIsRefused(t *testing.T) {
	for _, ttl := range []time.Duration{-1, 1, 30*time.Millisecond - 1} {
		if _, err := memory.New(memory.Options{TTL: ttl}); err == nil {
			t.Errorf("%v: got no error", ttl)
		}
	}
}

// TestWhatNobodyAsksForIsForgotten: a store does not grow with nodes that have
// vanished.
func TestWhatNobodyAsksForIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.NewStore()
		gone := memory.Connect(store, time.Minute)
		for i := range 100 {
			if _, err := gone.Register(t.Context(), fmt.Sprintf("s%d", i), registry.Node{Address: "10.0.0.1:80"}); err != nil {
				t.Fatal(err)
			}
		}
		if n := store.Size(); n != 100 {
			t.Errorf("%d leases, want 100", n)
		}
		gone.Cut(true)
		time.Sleep(2 * time.Minute)
		other := memory.Connect(store, time.Minute)
		if _, err := other.Register(t.Context(), "other", registry.Node{Address: "10.0.0.1:80"}); err != nil {
			t.Fatal(err)
		}
		if n := store.Size(); n != 1 {
			t.Errorf("%d leases, want 1", n)
		}
		gone.Cut(false)
		for _, r := range []*memory.Client{gone, other} {
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := store.Size(); n != 0 {
			t.Errorf("%d leases, want none", n)
		}
	})
}

// TestAWatchSeesANodeExpireInTime: also if the watching registry itself renews,
// and so looks, much less often.
func TestAWatchSeesANodeExpireInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.NewStore()
		short, long := memory.Connect(store, time.Minute), memory.Connect(store, 24*time.Hour)
		if _, err := short.Register(t.Context(), "users", registry.Node{Address: "10.0.0.1:80"}); err != nil {
			t.Fatal(err)
		}
		short.Cut(true)
		start := time.Now()
		for s, err := range long.Watch(t.Context(), "users") {
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Nodes) == 0 {
				break
			}
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("seen after %v, want 1m", took)
		}
		short.Cut(false)
		for _, r := range []*memory.Client{short, long} {
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}
