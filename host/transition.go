package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// transition brings new generations in beside the old ones and lets them take
// over together, or not at all. It is the one way by which code and
// configuration of a fleet change: the first start is a transition from nothing.
type transition struct {
	fleet   *fleet
	runner  runner
	limits  limits
	entries []entry // what comes in
	removed []*slot // what goes without a successor

	// beforeCommit, if there is one, is called when all are ready and have passed
	// their probation; its error is that of the transition.
	beforeCommit func(ctx context.Context) error
	// handsOver means that what comes in is another process that will keep
	// itself: its slot is given up instead of being kept here.
	handsOver bool

	began time.Time
	ready time.Duration // from began until all were ready
}

// entry is one slot's new generation.
type entry struct {
	slot *slot
	gen  *generation
}

// FailedError is a generation that did not make it.
type FailedError struct {
	Place Place
	Phase string   // start, probation or commit
	Cause error    // or the exit
	Tail  []string // last output lines

	gen *generation
}

// Error tells who failed when and why.
func (e *FailedError) Error() string {
	return fmt.Sprintf("worker %s failed in its %s: %v", e.Place, e.Phase, e.Cause)
}

// Unwrap gives the cause.
func (e *FailedError) Unwrap() error { return e.Cause }

// errNeverReady is the cause of a generation that took too long.
var errNeverReady = errors.New("not ready in time")

func (f *fleet) newTransition(r runner, work []workload, removed []*slot) *transition {
	t := &transition{fleet: f, runner: r, limits: f.limits(), removed: removed}
	for _, w := range work {
		s := f.slot(w.Worker, w.Instance)
		t.entries = append(t.entries, entry{slot: s, gen: s.next(w)})
	}
	return t
}

// run takes all steps up to the commit. Nothing has changed if it fails: every
// new generation is gone by then and the old ones have served on all the time.
// With nothing to replace there is no probation.
func (t *transition) run(ctx context.Context) error {
	t.began = time.Now()
	t.fleet.announce(t.entries)
	defer t.fleet.announce(nil)
	err := t.start(ctx)
	if err == nil {
		err = t.awaitReady(ctx)
	}
	if err == nil && t.replaces() {
		err = t.probation(ctx)
	}
	if err == nil && t.beforeCommit != nil {
		err = t.beforeCommit(ctx)
	}
	if err == nil {
		err = t.commit(ctx)
	}
	if err != nil {
		t.rollBack()
		return withTail(err)
	}
	return nil
}

func (t *transition) start(ctx context.Context) error {
	for _, e := range t.entries {
		if err := t.fleet.launch(ctx, t.runner, e.gen); err != nil {
			return e.gen.failure("start", err)
		}
	}
	return nil
}

func (t *transition) awaitReady(ctx context.Context) error {
	limit := time.NewTimer(t.limits.Ready)
	defer limit.Stop()
	for _, e := range t.entries {
		select {
		case <-e.gen.ready:
		case <-e.gen.gone:
			return e.gen.failure("start", nil)
		case <-limit.C:
			return e.gen.failure("start", fmt.Errorf("%w (ready_timeout %v)%s", errNeverReady, t.limits.Ready, e.gen.unready()))
		case <-ctx.Done():
			return fmt.Errorf("%w%s", context.Cause(ctx), e.gen.unready())
		}
	}
	t.ready = time.Since(t.began)
	return nil
}

// probation watches generations that are ready and do not accept yet.
func (t *transition) probation(ctx context.Context) error {
	over := time.NewTimer(t.limits.Probation)
	defer over.Stop()
	died := make(chan *generation, len(t.entries))
	for _, e := range t.entries {
		stop := context.AfterFunc(e.gen.life, func() { died <- e.gen })
		defer stop()
	}
	select {
	case g := <-died:
		return g.failure("probation", nil)
	case <-over.C:
		return t.lookForDeaths()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lookForDeaths is for those that have come by the end of a probation and are not seen yet.
func (t *transition) lookForDeaths() error {
	for _, e := range t.entries {
		if e.gen.life.Err() != nil {
			return e.gen.failure("probation", nil)
		}
	}
	return nil
}

// commit opens the new generations, then lets the old ones drain. Up to the
// first that has opened it can fail; from then on it goes through, and one that
// dies meanwhile is started again like any other that is lost.
func (t *transition) commit(ctx context.Context) error {
	t.fleet.note()
	for i, e := range t.entries {
		if err := e.gen.commit(ctx); err != nil && i == 0 {
			return e.gen.failure("commit", err)
		}
	}
	for _, e := range t.entries {
		if t.handsOver {
			e.gen.letGo()
			t.fleet.remove(e.slot)
			continue
		}
		t.fleet.install(e.slot, e.gen)
	}
	for _, s := range t.removed {
		t.fleet.remove(s)
	}
	t.awaitDeaf(ctx)
	return nil
}

// deafLimit is how long a commit waits for the old generations to stop accepting:
// whoever asks for a reload expects the new build in every answer from then on.
const deafLimit = time.Second

func (t *transition) awaitDeaf(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, deafLimit)
	defer cancel()
	for _, r := range t.fleet.leaving() {
		r.gen.awaitDeaf(ctx)
	}
}

func (t *transition) rollBack() {
	for _, e := range t.entries {
		e.gen.kill()
	}
}

func (t *transition) replaces() bool {
	for _, e := range t.entries {
		if g, _, _ := e.slot.watched(); g != nil {
			return true
		}
	}
	return false
}

// failure describes a generation that did not make it; with a nil cause it has
// gone by itself and its exit is the cause.
func (g *generation) failure(phase string, cause error) error {
	return &FailedError{Place: g.place(), Phase: phase, Cause: cause, gen: g}
}

// withTail completes a FailedError with what is known only once the generation
// has gone.
func withTail(err error) error {
	var failed *FailedError
	if errors.As(err, &failed) && failed.gen != nil {
		x := failed.gen.exit()
		failed.Tail = x.Tail
		if failed.Cause == nil {
			failed.Cause = errors.New(x.Cause)
		}
	}
	return err
}
