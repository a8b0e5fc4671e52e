package host

import (
	"context"
	"errors"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/group"
)

// maxDraining is how many retired generations of one slot may still be
// finishing; the oldest is cut when there would be one more.
const maxDraining = 3

// fleet is all slots of a master, and the generations that drain.
type fleet struct {
	runner runner // starts what was lost; a transition may use another
	events *hub
	group  *group.Group // keepers, watchers and retirements
	limits func() limits
	// essential is told that a worker was given up without which the master is of no
	// use; nil if nobody is.
	essential func(worker string, exit supervise.Exit)
	// note writes down what there is. A master that follows this one if it is killed
	// ends what it does not find there, so that comes before an order to serve.
	note func()

	retireCtx context.Context // ends when draining has lasted long enough
	cutAll    context.CancelFunc

	moving sync.Mutex // held while a generation goes from its slot to those that drain

	mu       sync.Mutex
	begun    int            // generations that slots had before this process
	numbers  map[string]int // likewise, for slots of another master
	slots    []*slot
	coming   []entry      // of the transition that runs
	retiring []retirement // oldest first
	cut      []string     // what was cut at deadlines so far
}

// limits are the times that a fleet keeps to.
type limits struct {
	Ready, Probation, Drain, Stop time.Duration
}

// retirement is a generation on its way out.
type retirement struct {
	slot  *slot
	gen   *generation
	until time.Time // when it is cut
	cut   context.CancelFunc
	over  chan struct{} // closed when it has gone and what was cut is counted
}

func newFleet(g *group.Group, r runner, events *hub, l func() limits) *fleet {
	f := &fleet{runner: r, events: events, group: g, limits: l, numbers: make(map[string]int), note: func() {}}
	f.retireCtx, f.cutAll = context.WithCancel(context.WithoutCancel(g.Context()))
	return f
}

// launch starts a generation and sees to it that its end is noticed.
func (f *fleet) launch(ctx context.Context, r runner, g *generation) error {
	if err := g.start(ctx, r); err != nil {
		return err
	}
	f.group.Go("watch "+g.place().String(), func(context.Context) { g.watch() })
	return nil
}

// slot gives the place of a worker's instance, a new one if there is none yet.
// A new slot belongs to the fleet once it is installed.
func (f *fleet) slot(worker string, instance int) *slot {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.slots {
		if s.worker == worker && s.instance == instance {
			return s
		}
	}
	return newSlot(f, worker, instance, max(f.begun, f.numbers[slotName(worker, instance)]))
}

// seen notes that a generation of a slot was begun by another master: no other may
// have its number.
func (f *fleet) seen(worker string, instance, generation int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := slotName(worker, instance)
	f.numbers[name] = max(f.numbers[name], generation)
}

// without leaves out the workloads of slots in which something serves.
func (f *fleet) without(work []workload) []workload {
	return slices.DeleteFunc(work, func(w workload) bool {
		g, _, _ := f.slot(w.Worker, w.Instance).watched()
		return g != nil
	})
}

// errMeanwhile is the cause of a generation that ended while nobody looked.
var errMeanwhile = errors.New("it ended while the master was upgraded")

// reviveMissing starts the workloads of slots in which nothing serves, as if what
// served there had been lost.
func (f *fleet) reviveMissing(work []workload) {
	for _, w := range f.without(work) {
		s := f.slot(w.Worker, w.Instance)
		g := s.next(w)
		g.failed = errMeanwhile
		g.end()
		f.install(s, g)
	}
}

// install puts a committed generation into its slot, begins to keep the slot if
// it is new, and retires the generation that served there.
func (f *fleet) install(s *slot, g *generation) {
	defer f.events.wake() // it was told of as serving before it was held here
	f.moving.Lock()
	defer f.moving.Unlock()
	old := s.adopt(g)
	if old != nil {
		f.retire(s, old)
		return
	}
	f.mu.Lock()
	f.slots = append(f.slots, s)
	sort.SliceStable(f.slots, func(i, j int) bool { return f.slots[i].before(f.slots[j]) })
	f.mu.Unlock()
	f.group.Go("keep "+g.place().String(), s.keep)
}

func (s *slot) before(t *slot) bool {
	if s.worker != t.worker {
		return s.worker < t.worker
	}
	return s.instance < t.instance
}

// remove gives up a slot and retires what serves there.
func (f *fleet) remove(s *slot) {
	f.moving.Lock()
	defer f.moving.Unlock()
	f.mu.Lock()
	for i, t := range f.slots {
		if t == s {
			f.slots = append(f.slots[:i:i], f.slots[i+1:]...)
			break
		}
	}
	f.mu.Unlock()
	if g := s.release(); g != nil {
		f.retire(s, g)
	}
}

// retire drains a generation in the background, within the drain limit.
func (f *fleet) retire(s *slot, g *generation) {
	f.retireUntil(s, g, time.Now().Add(f.limits().Drain))
}

// retireUntil is retire with another limit.
func (f *fleet) retireUntil(s *slot, g *generation, until time.Time) {
	ctx, cancel := context.WithDeadline(f.retireCtx, until)
	r := retirement{slot: s, gen: g, until: until, cut: cancel, over: make(chan struct{})}
	f.mu.Lock()
	f.retiring = append(f.retiring, r)
	f.cutOldestLocked(s)
	f.mu.Unlock()
	f.group.Go("drain "+g.place().String(), func(context.Context) {
		defer cancel()
		report := g.retire(ctx)
		f.retired(g, leftovers(report))
		close(r.over)
	})
}

func (f *fleet) cutOldestLocked(s *slot) {
	var same []retirement
	for _, r := range f.retiring {
		if r.slot == s {
			same = append(same, r)
		}
	}
	if len(same) > maxDraining {
		same[0].cut()
	}
}

func (f *fleet) retired(g *generation, cut []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = append(f.cut, cut...)
	for i, r := range f.retiring {
		if r.gen == g {
			f.retiring = append(f.retiring[:i:i], f.retiring[i+1:]...)
			return
		}
	}
}

// announce makes known what a transition brings in; with nil it is over.
func (f *fleet) announce(coming []entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coming = coming
}

// arriving gives the generations of the transition that runs.
func (f *fleet) arriving() []entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.coming
}

// all gives the slots in order.
func (f *fleet) all() []*slot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*slot(nil), f.slots...)
}

// leaving gives the generations that drain, oldest first.
func (f *fleet) leaving() []retirement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.retiring)
}

// stop retires every generation, or those of some workers, and waits until these
// have gone. When ctx ends, or now closes, they are cut.
func (f *fleet) stop(ctx context.Context, now <-chan struct{}, workers ...string) {
	meant := func(s *slot) bool { return len(workers) == 0 || slices.Contains(workers, s.worker) }
	for _, s := range slices.Backward(f.all()) {
		if meant(s) {
			f.remove(s)
		}
	}
	going := slices.DeleteFunc(f.leaving(), func(r retirement) bool { return !meant(r.slot) })
	cut := func() {
		for _, r := range going {
			r.cut()
		}
	}
	defer context.AfterFunc(ctx, cut)()
	for _, r := range going {
		select {
		case <-r.over:
		case <-now:
			cut()
			<-r.over
		}
	}
}

// cuts names the requests, sessions and sandboxes that were cut so far.
func (f *fleet) cuts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.cut)
}

func (f *fleet) readyTimeout() time.Duration { return f.limits().Ready }
