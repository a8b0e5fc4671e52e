package host

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// begin brings the first generations in.
func begin(t *testing.T, f *fleet, r *fakeRunner, work []workload) {
	t.Helper()
	if err := f.newTransition(r, work, nil).run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func states(f *fleet) (out []State) {
	for _, s := range f.all() {
		g, _, _ := s.watched()
		state, _ := g.snapshot()
		out = append(out, state)
	}
	return out
}

func TestNewGenerationsOpenBeforeTheOldOnesDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{readyAfter: time.Second, drainFor: 2 * time.Second})
		work := fakeWork(t, 2)
		begin(t, f, r, work)
		old := r.instances()
		var both bool
		next := f.newTransition(r, work, nil)
		next.beforeCommit = func(context.Context) error {
			both = old[0].accepts() && old[1].accepts()
			return nil
		}
		start := time.Now()
		if err := next.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 2*time.Second || next.ready != time.Second {
			t.Errorf("took %v, ready after %v; want 1 s to ready and 1 s of probation", got, next.ready)
		}
		if !both {
			t.Error("the old generation did not accept until the commit")
		}
		for _, i := range r.instances()[2:] {
			if !i.accepts() {
				t.Error("a new generation does not accept")
			}
		}
		if n := len(f.leaving()); n != 2 {
			t.Errorf("%d generations drain, want 2", n)
		}
		time.Sleep(3 * time.Second)
		if n := len(f.leaving()); n != 0 {
			t.Errorf("%d generations drain still", n)
		}
	})
}

func TestTransitionThatFailsTouchesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		bad   behaviour
		phase string
		cause error
	}{
		"cannot start":     {behaviour{cannotStart: true}, "start", nil},
		"exits at once":    {behaviour{readyAfter: -1, diesAfter: time.Millisecond}, "start", nil},
		"never ready":      {behaviour{readyAfter: -1}, "start", errNeverReady},
		"dies on trial":    {behaviour{diesAfter: 500 * time.Millisecond}, "probation", nil},
		"cannot be opened": {behaviour{openFails: true}, "commit", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r := fakeFleet(t, behaviour{}, behaviour{}, c.bad, behaviour{})
				work := fakeWork(t, 2)
				begin(t, f, r, work)
				err := f.newTransition(r, work, nil).run(t.Context())
				var failed *FailedError
				if !errors.As(err, &failed) || failed.Phase != c.phase || failed.Cause == nil {
					t.Fatalf("got %v", err)
				}
				if c.cause != nil && !errors.Is(err, c.cause) {
					t.Errorf("got %v, want %v", err, c.cause)
				}
				for _, i := range r.instances()[:2] {
					if !i.accepts() {
						t.Error("an old generation does not accept any more")
					}
				}
				for _, i := range r.instances()[2:] {
					select {
					case <-i.done:
					default:
						t.Error("a new generation was left behind")
					}
				}
				if got := states(f); got[0] != Serving || got[1] != Serving {
					t.Errorf("states %v", got)
				}
			})
		})
	}
}

// TestADeathCountsBeforeTheEndOfAProbation, though both are seen at once.
func TestADeathCountsBeforeTheEndOfAProbation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{})
		f.limits = func() limits { return limits{Ready: time.Minute} } // and no probation at all
		for range 100 {
			next := f.newTransition(r, fakeWork(t, 2), nil)
			if err := errors.Join(next.start(t.Context()), next.awaitReady(t.Context())); err != nil {
				t.Fatal(err)
			}
			r.instances()[len(r.instances())-1].end("killed")
			synctest.Wait()
			var failed *FailedError
			if err := next.probation(t.Context()); !errors.As(err, &failed) || failed.Phase != "probation" {
				t.Fatalf("got %v", err)
			}
			next.rollBack()
		}
	})
}

func TestStopEndsATransition(t *testing.T) {
	for name, after := range map[string]time.Duration{"starting": time.Second, "probation": 2500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, r := fakeFleet(t, behaviour{}, behaviour{readyAfter: 2 * time.Second})
				work := fakeWork(t, 1)
				begin(t, f, r, work)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(after, func() { cancel(errStopping) })
				if err := f.newTransition(r, work, nil).run(ctx); !errors.Is(err, errStopping) {
					t.Fatalf("got %v", err)
				}
				if all := r.instances(); !all[0].accepts() || !all[1].killed {
					t.Error("the old one must serve on, the new one must be gone")
				}
			})
		})
	}
}

func TestLostGenerationIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{diesAfter: time.Minute}, behaviour{})
		begin(t, f, r, fakeWork(t, 1))
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		all := r.instances()
		if len(all) != 2 || !all[1].accepts() {
			t.Fatalf("%d starts; the second must accept at once after a stable run", len(all))
		}
	})
}

func TestCrashLoopIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{}, behaviour{readyAfter: -1, diesAfter: time.Millisecond})
		begin(t, f, r, fakeWork(t, 1))
		r.instances()[0].end("signal: killed")
		time.Sleep(20 * time.Second)
		if n := len(r.instances()); n < 5 || n > 20 {
			t.Errorf("%d starts in 20 s", n)
		}
	})
}

func TestReloadReplacesAGenerationThatCannotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crash := behaviour{readyAfter: -1, diesAfter: time.Millisecond}
		f, r := fakeFleet(t, behaviour{}, crash)
		work := fakeWork(t, 1)
		begin(t, f, r, work)
		r.instances()[0].end("signal: killed")
		time.Sleep(5 * time.Second)
		good := &fakeRunner{next: []behaviour{{}}}
		if err := f.newTransition(good, work, nil).run(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := len(r.instances())
		time.Sleep(time.Minute)
		if len(r.instances()) != n || states(f)[0] != Serving {
			t.Error("the old workload is still being started")
		}
	})
}

func TestTheOldestOfTooManyDrainingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{drainFor: time.Hour})
		work := fakeWork(t, 1)
		begin(t, f, r, work)
		for range maxDraining + 1 {
			begin(t, f, r, work)
		}
		synctest.Wait()
		if n := len(f.leaving()); n != maxDraining {
			t.Errorf("%d drain, want %d", n, maxDraining)
		}
		if cut := f.cuts(); len(cut) != 1 {
			t.Errorf("cut: %v", cut)
		}
	})
}

func TestDrainEndsAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{drainFor: time.Hour})
		work := fakeWork(t, 1)
		begin(t, f, r, work)
		begin(t, f, r, work)
		time.Sleep(30*time.Second + time.Millisecond)
		synctest.Wait()
		if len(f.leaving()) != 0 || len(f.cuts()) != 1 {
			t.Errorf("%d drain, cut %v", len(f.leaving()), f.cuts())
		}
	})
}

func TestStopCutsAtItsLimitAndKillsOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{drainFor: time.Hour})
		begin(t, f, r, fakeWork(t, 2))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		f.stop(ctx, nil)
		if got := time.Since(start); got != 10*time.Second || len(f.cuts()) != 2 {
			t.Errorf("took %v, cut %v", got, f.cuts())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f, r := fakeFleet(t, behaviour{drainFor: time.Hour})
		begin(t, f, r, fakeWork(t, 2))
		start := time.Now()
		f.stop(t.Context(), closed())
		if got := time.Since(start); got > time.Second {
			t.Errorf("took %v", got)
		}
	})
}
