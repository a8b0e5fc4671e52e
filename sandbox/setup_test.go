package sandbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/dserver/dserver/sandbox"
)

type pair struct {
	setup    func(ctx context.Context, box *sandbox.Box) error
	shutdown func() error
}

func (p pair) Setup(ctx context.Context, box *sandbox.Box) error { return p.setup(ctx, box) }
func (p pair) Shutdown(context.Context) error                    { return p.shutdown() }

func TestFromSetup(t *testing.T) {
	quick := func(context.Context, *sandbox.Box) error { return nil }
	var end chan struct{}
	blocking := func(_ context.Context, box *sandbox.Box) error { box.Ready(); <-end; return nil }
	for name, setup := range map[string]func(context.Context, *sandbox.Box) error{"quick": quick, "blocking": blocking} {
		t.Run(name, func(t *testing.T) {
			var j journal
			end = make(chan struct{})
			s := sandbox.FromSetup("pair", pair{setup, func() error { j.add("shutdown"); close(end); return nil }})
			r := newRuntime(t, j.env(), sandbox.Entry{Name: s.Name(), New: func() sandbox.Service { return s }})
			start(t, r)
			r.Drain(t.Context())
			lines := j.take()
			at := slices.Index(lines, "shutdown") // it and the news of the drain come side by side
			if at < 2 || at > 3 {
				t.Errorf("got %s", lines)
			}
			if lines = slices.Delete(lines, at, at+1); !slices.Equal(lines, []string{"pair starting", "pair ready", "pair draining", "pair stopped"}) {
				t.Errorf("got %s", lines)
			}
		})
	}
}

func TestFromSetupThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		cause := errors.New("no")
		s := sandbox.FromSetup("pair", pair{
			func(context.Context, *sandbox.Box) error { return cause },
			func() error { j.add("shutdown"); return nil },
		})
		r := newRuntime(t, j.env(), sandbox.Entry{Name: s.Name(), New: func() sandbox.Service { return s }})
		if err := r.Start(t.Context()); !errors.Is(err, cause) {
			t.Error(err)
		}
		j.expect(t, "pair starting", "pair failed")
	})
}
