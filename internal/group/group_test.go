package group_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/internal/group"
)

func TestWaitReturnsWhenAllHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group.New(t.Context(), nil)
		for _, d := range []time.Duration{time.Second, time.Minute} {
			g.Go("sleeper", func(context.Context) { time.Sleep(d) })
		}
		start := time.Now()
		if err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("waited %v, want 1m", got)
		}
	})
}

func TestWaitNamesWhatStillRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group.New(t.Context(), nil)
		release := make(chan struct{})
		for _, name := range []string{"b", "a", "a"} {
			g.Go(name, func(context.Context) { <-release })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := g.Wait(ctx)
		var unfinished *group.UnfinishedError
		if !errors.As(err, &unfinished) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if want := "still running: a (2 times), b: context deadline exceeded"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		close(release)
		if err := g.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStopCancelsAndWaits(t *testing.T) {
	g := group.New(t.Context(), nil)
	g.Go("loop", func(ctx context.Context) { <-ctx.Done() })
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPanicGoesToTheOwner(t *testing.T) {
	var got error
	g := group.New(t.Context(), func(name string, err error) { got = err })
	g.Go("bad", func(context.Context) { panic(io.ErrUnexpectedEOF) })
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var p *group.PanicError
	if !errors.As(got, &p) || !errors.Is(got, io.ErrUnexpectedEOF) || len(p.Stack) == 0 {
		t.Errorf("got %v", got)
	}
}
