package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

func TestStartInOrderAndDrainInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		slow := func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			time.Sleep(time.Second) // b must not start before
			box.Ready()
			<-drain
			time.Sleep(time.Second)
			return nil
		}
		r := newRuntime(t, j.env(), entry("a", slow), entry("b", serveUntilDrain))
		start(t, r)
		j.expect(t, "a starting", "a ready", "b starting", "b ready")
		began := time.Now()
		report := r.Drain(t.Context())
		if len(report.Cut)+len(report.Stuck) > 0 || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", report, time.Since(began))
		}
		lines := j.take()
		for i, line := range []string{"b draining", "a draining", "a stopped"} { // b stops at any time
			if slices.Index(lines, line) < i {
				t.Errorf("%s too early or missing: %s", line, lines)
			}
		}
		if err := r.StartSandbox(t.Context(), "a"); !errors.Is(err, sandbox.ErrDraining) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFailedStartTakesBackTheOthers(t *testing.T) {
	cause := errors.New("no database")
	fails := map[string]func(context.Context, *sandbox.Box) error{
		"error": func(context.Context, *sandbox.Box) error { return cause },
		"nil":   func(context.Context, *sandbox.Box) error { return nil },
		"panic": func(context.Context, *sandbox.Box) error { panic(cause) },
		"late":  func(ctx context.Context, _ *sandbox.Box) error { <-ctx.Done(); return ctx.Err() },
		"goroutine": func(ctx context.Context, box *sandbox.Box) error {
			box.Go("bad", func(context.Context) { panic(cause) })
			<-ctx.Done()
			return nil
		},
	}
	want := map[string]string{
		"error":     `cannot start sandbox "c": no database`,
		"nil":       `cannot start sandbox "c": Serve returned before it called Ready`,
		"panic":     `cannot start sandbox "c": Serve: panic: no database`,
		"goexit":    `cannot start sandbox "c": Serve ended its goroutine instead of returning`,
		"late":      `cannot start sandbox "c": not ready in time: context deadline exceeded`,
		"goroutine": `cannot start sandbox "c": bad: panic: no database`,
	}
	fails["goexit"] = func(context.Context, *sandbox.Box) error { runtime.Goexit(); return nil }
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				r := newRuntime(t, j.env(), entry("a", serveUntilDrain), entry("b", serveUntilDrain),
					entry("c", fail), entry("d", serveUntilDrain))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := r.Start(ctx)
				var s *sandbox.StartError
				if !errors.As(err, &s) || s.Sandbox != "c" || err.Error() != want[name] {
					t.Errorf("got %v, want %v", err, want[name])
				}
				lines := j.take()
				if slices.Index(lines, "b draining") > slices.Index(lines, "a draining") {
					t.Errorf("not taken back in reverse: %s", lines)
				}
				want := []sandbox.State{sandbox.Stopped, sandbox.Stopped, sandbox.Failed, sandbox.Stopped}
				for i, s := range r.Status() {
					if s.State != want[i] {
						t.Errorf("%s is %s, want %s", s.Name, s.State, want[i])
					}
				}
			})
		})
	}
}

func TestPanicStaysInItsSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		blow := make(chan struct{})
		runs := 0
		bad := entry("bad", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			runs++
			box.Ready()
			select {
			case <-blow:
				panic("boom")
			case <-drain:
				return nil
			}
		})
		r := newRuntime(t, j.env(), entry("good", serveUntilDrain), bad)
		start(t, r)
		j.take()
		blow <- struct{}{}
		synctest.Wait()
		j.expect(t, "bad backoff")
		time.Sleep(time.Second)
		j.expect(t, "bad starting", "bad ready")
		if got := state(t, r, "good"); got != sandbox.Ready {
			t.Errorf("good is %s", got)
		}
		if s := r.Status()[1]; s.Restarts != 1 || runs != 2 || s.Error != "" {
			t.Errorf("got %+v after %d runs", s, runs)
		}
		if log := j.logged(); !strings.Contains(log, "boom") || !strings.Contains(log, "runtime_test.go") {
			t.Errorf("the log does not tell where the panic was: %s", log)
		}
		r.Drain(t.Context())
	})
}

func TestServeThatDoesNotReturnIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		release := make(chan struct{})
		hang := entry("hang", func(_ context.Context, box *sandbox.Box) error {
			box.Drain()
			box.Go("flusher", func(context.Context) { <-release })
			box.Cut("GET /slow")
			box.Ready()
			<-release
			return nil
		})
		r := newRuntime(t, j.env(), entry("a", serveUntilDrain), hang)
		start(t, r)
		j.take()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		report, err := r.StopSandbox(ctx, "hang")
		if got := fmt.Sprint(report); got != "{[hang: GET /slow] [hang: Serve hang: flusher]}" || !errors.Is(err, sandbox.ErrStuck) {
			t.Errorf("got %s, %v", got, err)
		}
		if d := time.Since(began); d != 32*time.Second {
			t.Errorf("took %v", d)
		}
		j.expect(t, "hang draining", "hang stuck")
		for _, again := range []func() error{
			func() error { return r.StartSandbox(t.Context(), "hang") },
			func() error { _, err := r.RestartSandbox(t.Context(), "hang"); return err },
		} {
			if err := again(); !errors.Is(err, sandbox.ErrStuck) || !strings.Contains(err.Error(), "reload hang") {
				t.Errorf("got %v", err)
			}
		}
		report = r.Drain(t.Context())
		if len(report.Stuck) != 2 {
			t.Errorf("got %v", report)
		}
		close(release)
		synctest.Wait()
		if got := state(t, r, "hang"); got != sandbox.Stopped {
			t.Errorf("after its late return it is %s", got)
		}
	})
}

func TestRestartNeverOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		running, most := 0, 0
		e := entry("one", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			running++
			most = max(most, running)
			box.Ready()
			<-drain
			time.Sleep(time.Second)
			running--
			return nil
		})
		r := newRuntime(t, j.env(), e)
		start(t, r)
		g := group.New(t.Context(), nil)
		for range 5 {
			g.Go("restart", func(ctx context.Context) {
				if _, err := r.RestartSandbox(ctx, "one"); err != nil {
					t.Error(err)
				}
			})
		}
		if err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if running != 1 || most != 1 || state(t, r, "one") != sandbox.Ready {
			t.Errorf("running %d, at most %d, state %s", running, most, state(t, r, "one"))
		}
		r.Drain(t.Context())
	})
}

func TestServiceThatDoesNotWatchDrainIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := newRuntime(t, j.env(), entry("old", func(ctx context.Context, box *sandbox.Box) error {
			box.Ready()
			<-ctx.Done()
			time.Sleep(5 * time.Second) // an orderly end takes its time
			return ctx.Err()
		}))
		start(t, r)
		began := time.Now()
		report := r.Drain(t.Context())
		if len(report.Stuck) > 0 || time.Since(began) != 5*time.Second {
			t.Errorf("got %v after %v", report, time.Since(began))
		}
	})
}
