package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/supervise"
)

// slot is one place for a process: instance n of a worker. It holds the
// generation that serves there and starts it again when it is lost.
type slot struct {
	fleet    *fleet
	worker   string
	instance int

	mu       sync.Mutex
	work     workload    // what a lost generation is started from
	current  *generation // serving, or the one that was lost last
	coming   *generation // that is started in the place of a lost one
	numbers  int         // generations begun here
	restarts int         // after losses, since the last reload
	lost     string      // why the last one was lost
	policy   supervise.Restarts
	given    supervise.Decision // why nothing is started any more, if that is so
	ended    bool               // nothing is started any more until somebody resets it
	waiting  bool               // between a loss and the next start
	released bool               // nothing is kept here any more
	changed  chan struct{}      // closed when current or released was changed from outside
}

func newSlot(f *fleet, worker string, instance, begun int) *slot {
	return &slot{fleet: f, worker: worker, instance: instance, numbers: begun, changed: make(chan struct{})}
}

// next makes the slot's next generation of a workload.
func (s *slot) next(w workload) *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers++
	w.Assignment.Generation = s.numbers
	return newGeneration(s.numbers, w, s.fleet.events)
}

// again makes the generation of a workload that another master has begun.
func (s *slot) again(w workload, number int) *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers = max(s.numbers, number)
	return newGeneration(number, w, s.fleet.events)
}

// remember takes over what another master had counted here.
func (s *slot) remember(restarts int, lost string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts, s.lost = restarts, lost
}

// reviving gives the generation that is started in the place of a lost one.
func (s *slot) reviving() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.coming
}

func (s *slot) setReviving(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming = g
}

// adopt puts a committed generation into the place of the current one, which is
// returned for the caller to retire (nil for a new slot).
func (s *slot) adopt(g *generation) (old *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.current
	s.current, s.work = g, g.work
	s.restarts, s.lost, s.waiting, s.ended = 0, "", false, false
	s.policy = program.RestartsOf(g.work.Settings.Keep)
	s.signalLocked()
	return old
}

// reset forgets failures: what was given up is started again.
func (s *slot) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts, s.ended = 0, false
	s.policy.Reset()
	s.signalLocked()
}

// release stops keeping: the current generation is returned for the caller to
// retire, and a loss from now on is nobody's business.
func (s *slot) release() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	s.signalLocked()
	return s.current
}

func (s *slot) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// keep starts the slot's workload again whenever its generation is lost. It
// returns when the slot has been released or ctx ends.
func (s *slot) keep(ctx context.Context) {
	for {
		g, changed, released := s.watched()
		if released {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-s.loss(g):
			if s.isLost(g) {
				s.revive(ctx, g)
			}
		}
	}
}

// loss is closed when something is to be done about the end of g; nil while nothing
// is to be started any more.
func (s *slot) loss(g *generation) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return g.gone
}

func (s *slot) watched() (*generation, <-chan struct{}, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.changed, s.released
}

// isLost tells whether g went without having been replaced or released.
func (s *slot) isLost(g *generation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == g && !s.released
}

// revive starts a lost generation's workload until one serves, or until the slot
// changes under it.
func (s *slot) revive(ctx context.Context, g *generation) {
	lostAt := time.Now()
	for {
		next, changed := s.recordLoss(g)
		if !next.Again {
			s.giveUp(g, next)
			return
		}
		s.fleet.events.publish(WorkerLost{Place: g.place(), Cause: g.exit().Cause, Delay: next.After, Tail: g.exit().Tail})
		if !s.pause(ctx, next.After, changed) {
			return
		}
		again := s.next(s.definition())
		if s.tryServe(ctx, again, changed) {
			s.fleet.events.publish(WorkerBack{Place: again.place(), Took: time.Since(lostAt)})
			return
		}
		if !s.isLost(g) || ctx.Err() != nil {
			return
		}
		s.replaceLost(again)
		g = again
	}
}

// giveUp notes that nothing is started here any more, because the policy says so.
func (s *slot) giveUp(g *generation, d supervise.Decision) {
	x := g.exit()
	s.mu.Lock()
	s.ended, s.given, s.waiting = true, d, false
	s.mu.Unlock()
	s.fleet.events.publish(WorkerGivenUp{Place: g.place(), Cause: x.Cause, Reason: d.Fatal, Tail: x.Tail})
	if s.fleet.essential != nil && g.work.Settings.Essential {
		s.fleet.essential(s.worker, x.Process)
	}
}

func (s *slot) recordLoss(g *generation) (supervise.Decision, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts++
	s.waiting = true
	s.lost = g.exit().Cause
	x := g.exit()
	state, _ := g.snapshot()
	run := supervise.Run{Started: g.started, Ended: time.Now(), Exit: x.Process, Failed: state != Gone || x.Process.Ended.IsZero()}
	return s.policy.Next(run), s.changed
}

func (s *slot) definition() workload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.work
}

// rewish brings the wishes of a plan into the definition.
func (s *slot) rewish(p *plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	boxes := slices.Clone(s.work.Assignment.Sandboxes)
	for i := range boxes {
		boxes[i].Stopped = p.stopped[boxes[i].Name]
		if level, ok := p.levels[boxes[i].Name]; ok {
			boxes[i].Level = level
		}
	}
	s.work.Assignment.Sandboxes = boxes
}

func (s *slot) replaceLost(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && !s.released {
		s.current = g
	}
}

func (s *slot) pause(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}

// tryServe starts g and lets it serve at once when it is ready: there is nobody
// else to serve meanwhile, so there is no probation.
func (s *slot) tryServe(ctx context.Context, g *generation, changed <-chan struct{}) bool {
	s.setReviving(g)
	defer s.setReviving(nil)
	if err := s.fleet.launch(ctx, s.fleet.runner, g); err != nil {
		return false
	}
	limit := time.NewTimer(s.fleet.readyTimeout())
	defer limit.Stop()
	select {
	case <-g.ready:
		s.fleet.note()
		if g.commit(ctx) == nil && s.serveInstead(g, changed) {
			return true
		}
	case <-g.gone:
	case <-limit.C:
	case <-changed:
	case <-ctx.Done():
	}
	g.kill()
	return false
}

// serveInstead makes g current unless the slot has changed meanwhile.
func (s *slot) serveInstead(g *generation, changed <-chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-changed:
		return false
	default:
	}
	s.current, s.waiting = g, false
	return true
}
