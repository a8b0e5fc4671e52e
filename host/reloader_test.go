package host

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/ctl"
)

// slowReloads is a reloader whose reloads take a second each and answer what
// they were asked.
func slowReloads(t *testing.T) (*reloader, *[][]string) {
	t.Helper()
	var ran [][]string
	r := newReloader(newHub(), func(ctx context.Context, j *reloadJob) ctl.ReloadResult {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctl.ReloadResult{ID: j.id, Outcome: outcomeRolledBack, Error: context.Cause(ctx).Error()}
		}
		ran = append(ran, j.request.Names)
		return ctl.ReloadResult{ID: j.id, Outcome: outcomeCommitted}
	})
	return r, &ran
}

func submit(t *testing.T, r *reloader, names ...string) *reloadJob {
	t.Helper()
	j, err := r.submit(ctl.ReloadRequest{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestLaterReloadTakesThePlaceOfTheWaitingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ran := slowReloads(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.loop(ctx)
		first := submit(t, r, "a")
		synctest.Wait()
		second, third := submit(t, r, "b"), submit(t, r, "c")
		for _, c := range []struct {
			job                *reloadJob
			id                 int
			queued, superseded bool
		}{{first, 1, false, false}, {second, 3, true, true}, {third, 3, true, false}} {
			got, err := c.job.wait(t.Context())
			if err != nil || got.ID != c.id || got.Queued != c.queued || got.Superseded != c.superseded || got.Outcome != outcomeCommitted {
				t.Errorf("job %d: %+v, %v", c.job.id, got, err)
			}
		}
		if n := len(*ran); n != 2 {
			t.Fatalf("%d reloads ran, want 2", n)
		}
		if names := (*ran)[1]; len(names) != 2 || names[0] != "b" || names[1] != "c" {
			t.Errorf("the later reload covered %v, want b and c", names)
		}
	})
}

func TestWaitingForAReloadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ran := slowReloads(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.loop(ctx)
		j := submit(t, r)
		impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		if _, err := j.wait(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, err := j.wait(t.Context()); err != nil || len(*ran) != 1 {
			t.Errorf("the reload did not go on: %v, %d", err, len(*ran))
		}
	})
}

func TestStopEndsTheReloadThatRunsAndTheOneThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowReloads(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		go r.loop(ctx)
		running := submit(t, r)
		synctest.Wait()
		waiting := submit(t, r)
		cancel(errStopping)
		for _, c := range []struct {
			job  *reloadJob
			want string
		}{{running, outcomeRolledBack}, {waiting, outcomeRefused}} {
			got, err := c.job.wait(t.Context())
			if err != nil || got.Outcome != c.want || got.Error != errStopping.Error() {
				t.Errorf("%+v, %v", got, err)
			}
		}
		synctest.Wait()
		if _, err := r.submit(ctl.ReloadRequest{}); !errors.Is(err, errStopping) {
			t.Errorf("after the stop: %v", err)
		}
	})
}

func TestMergedNamesCoverBoth(t *testing.T) {
	if got := mergeNames([]string{"b", "a"}, []string{"b"}); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Error(got)
	}
	if got := mergeNames(nil, []string{"b"}); got != nil {
		t.Errorf("everything and b is everything, got %v", got)
	}
}

// Three reloads, over two upgrades: the first is over when the first upgrade comes, the
// third when the second one does, and nobody who was sent on asks before the end.
func TestWhoWasSentOnFindsItsReloadAfterAnyNumberOfUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, _ := slowReloads(t)
		var second, third *reloader
		upgrade := func(r, next *reloader) func(ctl.ReloadRequest, ctl.ReloadResult) string {
			return func(ctl.ReloadRequest, ctl.ReloadResult) string {
				q := r.suspend()
				if err := next.goOn(q); err != nil {
					t.Error(err)
				}
				return ""
			}
		}
		second, _ = slowReloads(t)
		third, _ = slowReloads(t)
		first.after, second.after = upgrade(first, second), upgrade(second, third)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go first.loop(ctx)
		jobs := []*reloadJob{submit(t, first, "a")}
		synctest.Wait()
		jobs = append(jobs, submit(t, first, "b"), submit(t, first, "c"))
		for i, j := range jobs {
			if got, err := j.wait(t.Context()); err != nil || got.Outcome != ctl.OutcomeMoved || got.ID != i+1 {
				t.Errorf("caller %d was answered %+v, %v", i+1, got, err)
			}
		}
		go second.loop(ctx)
		time.Sleep(2 * time.Second) // of the bubble
		for i, want := range []ctl.ReloadResult{{ID: 1}, {ID: 3, Queued: true}, {ID: 3, Queued: true}} {
			j, ok := third.resume(i + 1)
			if !ok {
				t.Fatalf("caller %d is not known", i+1)
			}
			got, err := j.wait(t.Context())
			if err != nil || got.Outcome != outcomeCommitted || got.ID != want.ID || got.Queued != want.Queued {
				t.Errorf("caller %d got %+v, %v", i+1, got, err)
			}
		}
	})
}

// A reload that waits for its turn and one that waits behind it become one.
func TestWaitingReloadsBecomeOneOverAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowReloads(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.loop(ctx)
		submit(t, r, "a")
		synctest.Wait()
		submit(t, r, "b")
		q := r.suspend()
		if q.Pending == nil || len(q.Pending.Names) != 2 || len(q.Done) != 0 || q.Last != 2 {
			t.Errorf("the next image gets %+v", q)
		}
		if _, err := r.submit(ctl.ReloadRequest{}); !errors.Is(err, ctl.ErrRetry) {
			t.Errorf("a reload that comes meanwhile: %v", err)
		}
		r.reopen(q)
		synctest.Wait()
		time.Sleep(3 * time.Second) // of the bubble
		j, ok := r.resume(1)
		if !ok {
			t.Fatal("the reload is not known any more")
		}
		if got, err := j.wait(t.Context()); err != nil || got.ID != 2 || got.Outcome != outcomeCommitted {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
