package host

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/dserver/dserver/host/config"
)

// recycleInterval is how often workers are looked at that have a limit of memory or
// of requests. Nothing tells when such a limit is reached.
const recycleInterval = 5 * time.Second

// recycle replaces workers that have reached their limits of age, memory or
// requests, one at a time, as by a reload but with the code that they run, until
// ctx ends. While no worker has a limit nothing is looked at.
func (m *master) recycle(ctx context.Context) {
	for m.awaitRecycling(ctx) && wait(ctx, recycleInterval) {
		for _, s := range m.fleet.all() {
			g, _, _ := s.watched()
			if why := m.worn(ctx, g); why != "" {
				m.replaceWorn(ctx, s, g, why)
			}
		}
	}
}

// awaitRecycling waits until some worker has a limit.
func (m *master) awaitRecycling(ctx context.Context) bool {
	for !hasRecycling(m.currentPlan().config) {
		_, changed := m.events.after(math.MaxUint64)
		select {
		case <-changed: // perhaps by a reload
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// worn tells why a generation is to be replaced; empty if it is not.
func (m *master) worn(ctx context.Context, g *generation) string {
	if g == nil {
		return ""
	}
	state, _ := g.snapshot()
	i, ok := g.run.(*processInstance)
	if !ok || state != Serving {
		return ""
	}
	limit := g.work.Settings.Recycle
	if limit.MaxAge > 0 {
		if g.due.IsZero() {
			g.due = g.started.Add(shortened(limit, limit.MaxAge))
		}
		if time.Now().After(g.due) {
			return fmt.Sprintf("it is older than %v", limit.MaxAge)
		}
	}
	if limit.MaxRSS > 0 {
		if u := usageOf(i.Pid()); u != nil && u.RSS > uint64(shortened(limit, limit.MaxRSS)) {
			return fmt.Sprintf("it uses %d bytes of memory", u.RSS)
		}
	}
	if limit.MaxRequests > 0 {
		served, err := i.served(ctx)
		if err == nil && served >= shortened(limit, limit.MaxRequests) {
			return fmt.Sprintf("it has answered %d requests", served)
		}
	}
	return ""
}

// shortened makes a limit smaller at random, so that instances do not go together.
func shortened[T time.Duration | int64](r config.Recycle, limit T) T {
	return limit - T(float64(limit)*r.Jitter*rand.Float64())
}

func (m *master) replaceWorn(ctx context.Context, s *slot, g *generation, why string) {
	give, err := takeAll(ctx, m.changes, m.transitions)
	if err != nil {
		return
	}
	defer give()
	if now, _, _ := s.watched(); now != g || m.mayAct(nil) != nil {
		return // somebody else has replaced it
	}
	m.log.Info("replacing a worker", "worker", g.place().String(), "reason", why)
	if err := m.fleet.newTransition(m.next, []workload{s.definition()}, nil).run(ctx); err != nil {
		m.log.Warn("cannot replace a worker", "worker", g.place().String(), "error", err)
	}
}

// served asks a worker how many requests it has answered.
func (i *processInstance) served(ctx context.Context) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, recycleInterval)
	defer cancel()
	err = fromWire(i.line.call(ctx, routeServed, struct{}{}, &n))
	return n, err
}

// hasRecycling tells whether any worker of a configuration has a limit.
func hasRecycling(c *config.Config) bool {
	for _, w := range c.Workers {
		if w.Recycle.MaxAge > 0 || w.Recycle.MaxRSS > 0 || w.Recycle.MaxRequests > 0 {
			return true
		}
	}
	return false
}
