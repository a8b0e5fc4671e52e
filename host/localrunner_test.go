package host

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

// neverReady is a service that only waits for its end.
type neverReady struct{}

func (neverReady) Name() string { return "slow" }

func (neverReady) Serve(_ context.Context, box *sandbox.Box) error {
	<-box.Drain()
	return nil
}

// A sandbox that is told to stop while it gets ready has not failed, however soon
// somebody looks: in a worker it is simply gone.
func TestKilledStartIsNoFailure(t *testing.T) {
	for range 3000 {
		var mu sync.Mutex
		var seen []sandbox.State
		starting := make(chan struct{})
		watch := func(s sandbox.Status) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, s.State)
			if s.State == sandbox.Starting {
				close(starting)
			}
		}
		app := New("test")
		app.Add(neverReady{})
		g := group.New(context.Background(), nil)
		r := &localRunner{group: g, runtime: func(as Assignment, watch observer) (*sandbox.Runtime, error) {
			return app.newRuntime(as, surroundings{logger: func(string) *slog.Logger { return slog.New(slog.DiscardHandler) }}, watch)
		}}
		i, err := r.start(t.Context(), workload{Assignment: Assignment{Sandboxes: []Sandbox{{Name: "slow", ExplicitReady: true, Restart: "no", Level: "info", Config: []byte("{}")}}}}, watch)
		if err != nil {
			t.Fatal(err)
		}
		<-starting
		i.Kill()
		<-i.Done()
		if err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, state := range seen {
			if state == sandbox.Failed {
				t.Fatalf("it was %v", seen)
			}
		}
	}
}
