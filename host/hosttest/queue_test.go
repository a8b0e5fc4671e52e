package hosttest_test

import (
	"context"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/hosttest"
	"github.com/dserver/dserver/host/hosttest/load"
	"github.com/dserver/dserver/internal/group"
)

// asked is the answer to one of several reloads at once.
type asked struct {
	result ctl.ReloadResult
	err    error
}

// ask asks for a reload and goes on; the answer comes later.
func ask(g *group.Group, in *hosttest.Instance) <-chan asked {
	answer := make(chan asked, 1)
	g.Go("reload", func(ctx context.Context) {
		result, err := in.Reload(ctx, ctl.ReloadRequest{})
		answer <- asked{result, err}
	})
	return answer
}

// One reload runs, one waits; a third takes the place of the one that waits, whose
// caller gets the third's result.
func TestReloadsAtOnce(t *testing.T) {
	hosttest.EachMode(t, func(t *testing.T, in *hosttest.Instance) {
		in.Start()
		first, second, third := threeAtOnce(t, in)
		if first.Outcome != "committed" || first.Queued || first.Superseded {
			t.Errorf("the first reload: %+v", first)
		}
		if third.Outcome != "committed" || !third.Queued || third.Superseded || third.ID == first.ID {
			t.Errorf("the third reload: %+v", third)
		}
		if second.Outcome != "committed" || second.ID != third.ID || !second.Queued || !second.Superseded {
			t.Errorf("the second reload: %+v, want the result of the third: %+v", second, third)
		}
		if info := in.Info(); info.Reloads.Done != 2 || info.Generation != 3 {
			t.Errorf("the master counts %+v in generation %d, want 2 done and generation 3", info.Reloads, info.Generation)
		}
		checkBuild(t, in, "third")
	})
}

// threeAtOnce reloads a build that takes its time, and two more while that runs.
func threeAtOnce(t *testing.T, in *hosttest.Instance) (first, second, third ctl.ReloadResult) {
	t.Helper()
	reloads := group.New(context.WithoutCancel(t.Context()), nil)
	events := follow(t, in)
	underLoad(t, in, load.Options{Slow: 500 * time.Millisecond}, func(*load.Load) {
		in.Install(hosttest.Build{Label: "first-reload", Fault: "slow-ready", After: "3s"})
		answers := []<-chan asked{ask(reloads, in)}
		events.await("reload_started", 1)
		for i, label := range []string{"second", "third"} {
			in.Install(hosttest.Build{Label: label})
			answers = append(answers, ask(reloads, in))
			events.await("reload_queued", i+1)
		}
		for i, into := range []*ctl.ReloadResult{&first, &second, &third} {
			a := <-answers[i]
			if *into = a.result; a.err != nil {
				t.Errorf("reload %d: %v", i+1, a.err)
			}
		}
	})
	return first, second, third
}

// followed are the events of an instance as they come.
type followed struct {
	t      *testing.T
	events chan ctl.Event
	seen   map[string]int // by kind
}

func follow(t *testing.T, in *hosttest.Instance) *followed {
	t.Helper()
	f := &followed{t: t, events: make(chan ctl.Event, 1<<12), seen: make(map[string]int)}
	follower := group.New(context.WithoutCancel(t.Context()), nil)
	follower.Go("events", func(ctx context.Context) {
		// It ends with the instance or with the test.
		_ = in.Client.Events(ctx, 0, func(e ctl.Event) error {
			f.events <- e
			return nil
		})
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := follower.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return f
}

// await waits until so many events of a kind have come.
func (f *followed) await(kind string, n int) {
	f.t.Helper()
	for f.seen[kind] < n {
		f.next(kind)
	}
}

// awaitState waits until the next time that a sandbox is in a state.
func (f *followed) awaitState(sandbox, state string) {
	f.t.Helper()
	for {
		e := f.next(sandbox + " is " + state)
		if e.Kind == "sandbox_state" && e.Name == sandbox && e.Data["state"] == state {
			return
		}
	}
}

// next waits for the next event; what says what the wait is for.
func (f *followed) next(what string) ctl.Event {
	f.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case e := <-f.events:
		f.seen[e.Kind]++
		return e
	case <-limit.C:
		f.t.Fatalf("waited for %s; there were %v", what, f.seen)
		return ctl.Event{}
	}
}
