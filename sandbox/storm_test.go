package sandbox_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

// moves is what an observer may see follow each other.
func moves() map[sandbox.State][]sandbox.State {
	return map[sandbox.State][]sandbox.State{
		sandbox.Stopped:  {sandbox.Starting},
		sandbox.Starting: {sandbox.Ready, sandbox.Backoff, sandbox.Failed, sandbox.Draining},
		sandbox.Ready:    {sandbox.Backoff, sandbox.Failed, sandbox.Finished, sandbox.Draining},
		sandbox.Draining: {sandbox.Stopped, sandbox.Backoff, sandbox.Failed, sandbox.Stuck},
		sandbox.Backoff:  {sandbox.Starting, sandbox.Stopped},
		sandbox.Failed:   {sandbox.Starting, sandbox.Stopped},
		sandbox.Finished: {sandbox.Starting, sandbox.Stopped},
		sandbox.Stuck:    {sandbox.Stopped},
	}
}

// Many orders at once, on services that end in every way there is: no Serve
// overlaps another, observers see only moves of the table, every order is
// answered, and the end is an end.
func TestStormOfOrders(t *testing.T) {
	for range 20 {
		synctest.Test(t, storm)
	}
}

// moody is a service that ends in every way there is.
type moody struct {
	t       *testing.T
	running atomic.Int32
}

func (m *moody) Name() string { return "s" }

func (m *moody) Serve(ctx context.Context, box *sandbox.Box) error {
	if m.running.Add(1) != 1 {
		m.t.Error("two Serves at once")
	}
	defer m.running.Add(-1)
	time.Sleep(rand.N(time.Second))
	drain := box.Drain()
	switch rand.IntN(8) {
	case 0:
		return errors.New("bad start")
	case 1:
		panic("bad start")
	}
	box.Ready()
	select {
	case <-drain:
		time.Sleep(rand.N(4 * time.Second)) // at times too long
		return nil
	case <-time.After(rand.N(20 * time.Second)):
	}
	switch rand.IntN(4) {
	case 0:
		return nil
	case 1:
		return errors.New("bad luck")
	case 2:
		box.Go("g", func(context.Context) { panic("bad goroutine") })
		<-ctx.Done()
		return ctx.Err()
	}
	panic("bad code")
}

// watcher complains about moves that are not in the table.
func watcher(t *testing.T) func(sandbox.Status) {
	var mu sync.Mutex
	allowed, last := moves(), sandbox.Stopped
	return func(s sandbox.Status) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(allowed[last], s.State) {
			t.Errorf("from %s to %s", last, s.State)
		}
		last = s.State
	}
}

func storm(t *testing.T) {
	service := &moody{t: t}
	r := newRuntime(t, sandbox.Env{Observe: watcher(t)},
		sandbox.Entry{Name: "s", New: func() sandbox.Service { return service }})
	callers := group.New(context.Background(), nil)
	for range 8 {
		callers.Go("caller", func(ctx context.Context) {
			for range 30 {
				time.Sleep(rand.N(5 * time.Second))
				ctx, cancel := context.WithTimeout(ctx, rand.N(3*time.Second))
				// Errors are right answers here; hanging would not be one.
				switch rand.IntN(3) {
				case 0:
					_ = r.StartSandbox(ctx, "s")
				case 1:
					_, _ = r.StopSandbox(ctx, "s")
				case 2:
					_, _ = r.RestartSandbox(ctx, "s")
				}
				cancel()
			}
		})
	}
	if err := callers.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	r.Drain(t.Context())
	time.Sleep(10 * time.Second) // one that was stuck has returned by then
	if s := state(t, r, "s"); s != sandbox.Stopped || service.running.Load() != 0 {
		t.Errorf("at the end it is %s, %d run", s, service.running.Load())
	}
}
