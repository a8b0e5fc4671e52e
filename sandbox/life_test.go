package sandbox_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

// ended is a service that is ready and then ends with what comes from how.
func ended(how <-chan error) func(context.Context, *sandbox.Box) error {
	return func(_ context.Context, box *sandbox.Box) error {
		drain := box.Drain()
		box.Ready()
		select {
		case err := <-how:
			return err
		case <-drain:
			return nil
		}
	}
}

func TestWhatFollowsTheEndOfServe(t *testing.T) {
	cause := errors.New("lost the database")
	for _, c := range []struct {
		name string
		when sandbox.When
		end  error
		want sandbox.State
	}{
		{"nil, default", "", nil, sandbox.Finished},
		{"nil, always", sandbox.Always, nil, sandbox.Ready},
		{"nil, never", sandbox.Never, nil, sandbox.Finished},
		{"error, default", "", cause, sandbox.Ready},
		{"error, never", sandbox.Never, cause, sandbox.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				how := make(chan error)
				e := entry("s", ended(how))
				e.Restart.When = c.when
				r := newRuntime(t, (&journal{}).env(), e)
				start(t, r)
				how <- c.end
				time.Sleep(time.Second)
				s := r.Status()[0]
				if s.State != c.want || (s.State == sandbox.Failed) != (s.Error == cause.Error()) {
					t.Errorf("got %+v, want %s", s, c.want)
				}
				// Whatever it came to, it can be started again and stopped.
				if err := r.StartSandbox(t.Context(), "s"); err != nil {
					t.Error(err)
				}
				if _, err := r.StopSandbox(t.Context(), "s"); err != nil || state(t, r, "s") != sandbox.Stopped {
					t.Errorf("%v, %s", err, state(t, r, "s"))
				}
			})
		})
	}
}

func TestRestartsInARowAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		e := entry("s", func(_ context.Context, box *sandbox.Box) error {
			runs++
			box.Drain()
			box.Ready()
			time.Sleep(time.Millisecond)
			return errors.New("again")
		})
		e.Restart = sandbox.RestartPolicy{Limit: 3}
		r := newRuntime(t, (&journal{}).env(), e)
		start(t, r)
		time.Sleep(time.Minute)
		if s := r.Status()[0]; s.State != sandbox.Failed || s.Error != "again" {
			t.Errorf("%+v", s)
		}
		if runs != 4 {
			t.Errorf("%d runs", runs)
		}
	})
}

func TestHealth(t *testing.T) {
	for want, health := range map[string]func(context.Context) error{
		"":                          func(context.Context) error { return nil },
		"not healthy: no disk":      func(context.Context) error { return errors.New("no disk") },
		"panic: boom":               func(context.Context) error { panic("boom") },
		"not healthy: no answer":    func(ctx context.Context) error { <-ctx.Done(); return nil },
		"not healthy: no answer: c": func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Second); return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &service{name: "s", serve: serveUntilDrain, health: health}
			r := newRuntime(t, (&journal{}).env(), sandbox.Entry{Name: "s", New: func() sandbox.Service { return s }})
			err := r.Start(t.Context())
			if want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), want) || state(t, r, "s") != sandbox.Failed {
				t.Errorf("got %v, %s, want %q", err, state(t, r, "s"), want)
			}
			r.Drain(t.Context())
		})
	}
}

func TestReadyAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := entry("s", func(ctx context.Context, _ *sandbox.Box) error { <-ctx.Done(); return nil })
		e.ReadyAtStart = true
		r := newRuntime(t, (&journal{}).env(), e)
		start(t, r)
		r.Drain(t.Context())
	})
}

func TestWhoIsNotReadyIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := newRuntime(t, j.env(), entry("slow", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			time.Sleep(time.Minute)
			box.Ready()
			<-drain
			return nil
		}))
		start(t, r)
		if log := j.logged(); strings.Count(log, "not ready yet") != 1 || !strings.Contains(log, "sandbox=slow") {
			t.Errorf("log: %s", log)
		}
		r.Drain(t.Context())
	})
}

func TestStopEndsAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		never := func(ctx context.Context, box *sandbox.Box) error { <-box.Drain(); return nil }
		e := entry("s", never)
		e.Disabled = true
		r := newRuntime(t, j.env(), e)
		start(t, r)
		j.expect(t)
		result := make(chan error, 1)
		g := group.New(t.Context(), nil)
		g.Go("start", func(ctx context.Context) { result <- r.StartSandbox(ctx, "s") })
		synctest.Wait()
		if _, err := r.StopSandbox(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, sandbox.ErrStopped) {
			t.Errorf("got %v", err)
		}
		j.expect(t, "s starting", "s draining", "s stopped")
	})
}

func TestStopEndsABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		how := make(chan error)
		r := newRuntime(t, j.env(), entry("s", ended(how)))
		start(t, r)
		how <- errors.New("x")
		synctest.Wait()
		if _, err := r.StopSandbox(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		j.expect(t, "s starting", "s ready", "s backoff", "s stopped")
	})
}

func TestStopWinsOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, (&journal{}).env(), entry("s", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			box.Ready()
			<-drain
			time.Sleep(10 * time.Second)
			return nil
		}))
		start(t, r)
		result := make(chan error, 1)
		g := group.New(t.Context(), nil)
		g.Go("restart", func(ctx context.Context) { _, err := r.RestartSandbox(ctx, "s"); result <- err })
		time.Sleep(time.Second)
		if _, err := r.StopSandbox(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, sandbox.ErrStopped) || state(t, r, "s") != sandbox.Stopped {
			t.Errorf("got %v, %s", err, state(t, r, "s"))
		}
	})
}

// The drain takes the whole time limit; the start gets its own.
func TestRestartStartsAfterASlowDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, (&journal{}).env(), entry("s", func(ctx context.Context, box *sandbox.Box) error {
			box.Drain()
			time.Sleep(time.Second)
			box.Ready()
			<-ctx.Done()
			return nil
		}))
		start(t, r)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := r.RestartSandbox(ctx, "s"); err != nil || state(t, r, "s") != sandbox.Ready {
			t.Errorf("got %v, %s", err, state(t, r, "s"))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if report := r.Drain(ended); len(report.Stuck) > 0 {
			t.Error(report)
		}
	})
}

func TestGoroutineThatPanicsFailsItsSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		runs := 0
		r := newRuntime(t, j.env(), entry("s", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			runs++
			if runs == 1 {
				box.Go("flusher", func(context.Context) { time.Sleep(time.Second); panic("boom") })
			}
			box.Ready()
			<-drain
			return nil
		}))
		start(t, r)
		time.Sleep(time.Minute)
		j.expect(t, "s starting", "s ready", "s draining", "s backoff", "s starting", "s ready")
		if log := j.logged(); !strings.Contains(log, "panic in flusher") || !strings.Contains(log, "life_test.go") {
			t.Errorf("log: %s", log)
		}
		r.Drain(t.Context())
	})
}

func TestBoxAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var old *sandbox.Box
		r := newRuntime(t, j.env(), entry("s", func(_ context.Context, box *sandbox.Box) error {
			old = box
			drain := box.Drain()
			box.Ready()
			<-drain
			return nil
		}))
		start(t, r)
		r.Drain(t.Context())
		old.Go("late", func(context.Context) { t.Error("a goroutine of a dead box runs") })
		old.Ready()
		if log := j.logged(); !strings.Contains(log, "goroutine not started") {
			t.Errorf("log: %s", log)
		}
		if _, err := old.Listen("tcp", "127.0.0.1:0"); err == nil || err.Error() != "cannot listen on tcp://127.0.0.1:0: the host gives no sockets" {
			t.Errorf("got %v", err)
		}
	})
}

func TestLevelCanBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var logger *slog.Logger
		e := entry("s", func(_ context.Context, box *sandbox.Box) error {
			logger = box.Logger().With("k", "v").WithGroup("g")
			drain := box.Drain()
			box.Ready()
			<-drain
			return nil
		})
		e.Level = slog.LevelWarn
		r := newRuntime(t, j.env(), e)
		start(t, r)
		logger.Info("one")
		if err := r.SetLevel("s", slog.LevelDebug); err != nil {
			t.Error(err)
		}
		logger.Debug("two")
		if log := j.logged(); strings.Contains(log, "one") || !strings.Contains(log, "two") || r.Status()[0].Level != "DEBUG" {
			t.Errorf("level %s, log: %s", r.Status()[0].Level, log)
		}
		r.Drain(t.Context())
	})
}

func TestUnknownNames(t *testing.T) {
	r := newRuntime(t, (&journal{}).env())
	_, stop := r.StopSandbox(t.Context(), "x")
	_, restart := r.RestartSandbox(t.Context(), "x")
	for _, err := range []error{stop, restart, r.StartSandbox(t.Context(), "x"), r.SetLevel("x", slog.LevelInfo)} {
		if !errors.Is(err, sandbox.ErrUnknown) || err.Error() != `unknown sandbox "x"` {
			t.Errorf("got %v", err)
		}
	}
}

func TestEntriesAreChecked(t *testing.T) {
	good := entry("s", serveUntilDrain)
	named := sandbox.Listen{Name: "a", Network: "tcp", Address: ":1"}
	for want, change := range map[string]func(*sandbox.Entry){
		"1 to 63":            func(e *sandbox.Entry) { e.Name = "Über" },
		"New is nil":         func(e *sandbox.Entry) { e.New = nil },
		"network must be":    func(e *sandbox.Entry) { e.Listen = []sandbox.Listen{{Network: "sctp", Address: ":1"}} },
		"no address":         func(e *sandbox.Entry) { e.Listen = []sandbox.Listen{{Network: "tcp"}} },
		"two sockets":        func(e *sandbox.Entry) { e.Listen = []sandbox.Listen{named, named} },
		"restart must be":    func(e *sandbox.Entry) { e.Restart.When = "later" },
		"does not begin wit": func(e *sandbox.Entry) { e.Name = "-" },
	} {
		e := good
		change(&e)
		if _, err := sandbox.NewRuntime([]sandbox.Entry{e}, sandbox.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := sandbox.NewRuntime([]sandbox.Entry{good, good}, sandbox.Env{}); err == nil || !strings.Contains(err.Error(), "two sandboxes") {
		t.Errorf("got %v", err)
	}
	for _, s := range []func() sandbox.Service{func() sandbox.Service { return nil }, func() sandbox.Service { panic("no") }} {
		e := good
		e.New = s
		r := newRuntime(t, sandbox.Env{}, e)
		if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "New") {
			t.Errorf("got %v", err)
		}
	}
}
