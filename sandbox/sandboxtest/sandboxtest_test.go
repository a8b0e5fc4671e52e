package sandboxtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

type service struct {
	serve func(context.Context, *sandbox.Box) error
}

func (service) Name() string                                      { return "s" }
func (s service) Serve(ctx context.Context, b *sandbox.Box) error { return s.serve(ctx, b) }

// witness is a testing.TB that keeps what is said about the test.
type witness struct {
	testing.TB
	cleanups []func()
	said     []string
}

func (w *witness) Helper()                   {}
func (w *witness) Log(...any)                {}
func (w *witness) Cleanup(f func())          { w.cleanups = append(w.cleanups, f) }
func (w *witness) Errorf(f string, _ ...any) { w.said = append(w.said, f) }
func (w *witness) Context() context.Context  { return context.Background() }
func (w *witness) end() {
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		w.cleanups[i]()
	}
}

func TestRunComplainsAboutWhatStays(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, serve := range map[string]func(context.Context, *sandbox.Box) error{
		"stuck": func(_ context.Context, b *sandbox.Box) error { b.Ready(); <-release; return nil },
		"cut": func(_ context.Context, b *sandbox.Box) error {
			d := b.Drain()
			b.Ready()
			<-d
			b.Cut("something")
			return nil
		},
		"goroutine": func(_ context.Context, b *sandbox.Box) error {
			d := b.Drain()
			go func() { <-release }()
			b.Ready()
			<-d
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &witness{TB: t}
			sandboxtest.Run(w, service{serve}, sandboxtest.Options{DrainTimeout: 10 * time.Millisecond})
			w.end()
			if len(w.said) == 0 {
				t.Error("no complaint")
			}
		})
	}
}

func TestStartTellsWhyItFailed(t *testing.T) {
	cause := errors.New("no")
	_, err := sandboxtest.Start(t.Context(), service{func(context.Context, *sandbox.Box) error { return cause }}, sandboxtest.Options{})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), `"s"`) {
		t.Error(err)
	}
}
