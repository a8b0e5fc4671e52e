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
