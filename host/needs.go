package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
)

// awaitWorker waits until all instances of a worker have come as far as c says.
func (m *master) awaitWorker(ctx context.Context, name string, c config.Condition) error {
	last := uint64(0)
	for {
		events, changed := m.events.after(last)
		if n := len(events); n > 0 {
			last = events[n-1].ID
			continue // look once for all that has happened
		}
		if m.workerHas(name, c) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait any longer for worker %s to be %s: %w", name, c, context.Cause(ctx))
		}
	}
}

func (m *master) workerHas(name string, c config.Condition) bool {
	for _, w := range m.currentPlan().workloads() {
		if w.Worker != name && m.currentPlan().config.Mode == config.Multi {
			continue
		}
		g, _, _ := m.fleet.slot(w.Worker, w.Instance).watched()
		if g == nil {
			return false
		}
		if state, _ := g.snapshot(); state != Serving {
			return false
		}
	}
	return c != config.NeedCompleted // a worker never is
}

// awaitNeeds waits for what a worker needs before it is started. applied is closed
// when all programs are known and have come as far as they do.
func (m *master) awaitNeeds(ctx context.Context, worker string, applied <-chan struct{}) error {
	for _, n := range m.currentPlan().slotNeeds(worker) {
		wait := m.awaitWorker
		if _, ok := m.currentPlan().config.Program(n.Name); ok {
			wait = func(ctx context.Context, name string, c config.Condition) error {
				return m.awaitProgram(ctx, name, c, applied)
			}
		}
		if err := wait(ctx, n.Name, n.Condition); err != nil {
			return fmt.Errorf("worker %s is not started: %w", worker, err)
		}
	}
	return nil
}

// awaitProgram waits until a program has come as far as c says, also if it is not
// even known yet.
func (m *master) awaitProgram(ctx context.Context, name string, c config.Condition, applied <-chan struct{}) error {
	for {
		_, changed := m.events.after(math.MaxUint64)
		over := isClosed(applied)
		err := m.programs.Await(ctx, name, c)
		if _, unknown := errors.AsType[*program.UnknownError](err); !unknown || over {
			return err
		}
		select {
		case <-changed:
		case <-applied:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// startWaves parts workloads into those that are started at once, together, and
// those of workers that need something, which are started one worker after the
// other, each after those that it needs.
func (p *plan) startWaves(work []workload) [][]workload {
	var waves [][]workload
	var at []string // worker of each wave but the first
	free := []workload{}
	for _, w := range work {
		if len(p.slotNeeds(w.Worker)) == 0 {
			free = append(free, w)
			continue
		}
		i := slices.Index(at, w.Worker)
		if i < 0 {
			i = len(at)
			at, waves = append(at, w.Worker), append(waves, nil)
		}
		waves[i] = append(waves[i], w)
	}
	order := p.needOrder(at)
	slices.SortStableFunc(waves, func(a, b []workload) int {
		return slices.Index(order, a[0].Worker) - slices.Index(order, b[0].Worker)
	})
	return append([][]workload{free}, waves...)
}

// needOrder gives workers so that each comes after those that it needs, directly
// or over others.
func (p *plan) needOrder(workers []string) (order []string) {
	var visit func(name string)
	seen := make(map[string]bool)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, n := range p.needsOf(name) {
			visit(n.Name)
		}
		if slices.Contains(workers, name) {
			order = append(order, name)
		}
	}
	for _, w := range workers {
		visit(w)
	}
	return order
}

func (p *plan) needsOf(name string) []config.Need {
	if w, ok := p.config.Worker(name); ok {
		return w.Needs
	}
	prog, _ := p.config.Program(name)
	return prog.Needs
}

// stopStep is what is stopped at the same time.
type stopStep struct {
	programs, workers []string
}

// stopSteps is the order in which programs and workers are stopped: who needs
// something before what it needs. Programs that are needed by workers and need none
// are not among them: they go at the end, in an order of their own.
func (p *plan) stopSteps() []stopStep {
	above := p.neededBy()
	depths := make(map[string]int)
	var depth func(name string) int
	depth = func(name string) int {
		if d, known := depths[name]; known {
			return d
		}
		depths[name] = 0 // so that a ring ends, though the configuration has none
		for _, by := range above[name] {
			depths[name] = max(depths[name], depth(by)+1)
		}
		return depths[name]
	}
	var steps []stopStep
	at := func(i int) *stopStep {
		for len(steps) <= i {
			steps = append(steps, stopStep{})
		}
		return &steps[i]
	}
	for _, prog := range p.config.Programs {
		switch {
		case p.needsWorker(prog.Name):
			s := at(depth(prog.Name))
			s.programs = append(s.programs, prog.Name)
		case !p.servesWorker(prog.Name, above):
			s := at(0)
			s.programs = append(s.programs, prog.Name)
		}
	}
	for _, w := range p.slotWorkers() {
		s := at(depth(w))
		s.workers = append(s.workers, w)
	}
	return steps
}

// slotWorkers names the workers as slots do.
func (p *plan) slotWorkers() (names []string) {
	if p.config.Mode == config.Single {
		return []string{mainWorker}
	}
	for _, w := range p.config.Workers {
		names = append(names, w.Name)
	}
	return names
}

// slotWorker gives the name that a configured worker has as a slot, and programs
// their own.
func (p *plan) slotWorker(name string) string {
	if _, ok := p.config.Worker(name); ok && p.config.Mode == config.Single {
		return mainWorker
	}
	return name
}

// neededBy gives for each program and worker those that need it directly.
func (p *plan) neededBy() map[string][]string {
	above := make(map[string][]string)
	for _, prog := range p.config.Programs {
		for _, n := range prog.Needs {
			needed := p.slotWorker(n.Name)
			above[needed] = append(above[needed], prog.Name)
		}
	}
	for _, w := range p.slotWorkers() {
		for _, n := range p.slotNeeds(w) {
			above[n.Name] = append(above[n.Name], w)
		}
	}
	return above
}

// slotNeeds is what a worker needs. In single mode that is what all workers need
// together, without what needs a worker itself: that can come after them alone.
func (p *plan) slotNeeds(worker string) (needs []config.Need) {
	if p.config.Mode != config.Single {
		return p.needsOf(worker)
	}
	for _, w := range p.config.Workers {
		for _, n := range w.Needs {
			_, isProgram := p.config.Program(n.Name)
			if isProgram && !p.needsWorker(n.Name) && !slices.Contains(needs, n) {
				needs = append(needs, n)
			}
		}
	}
	return needs
}

// needsWorker tells whether a program needs a worker, directly or over others.
func (p *plan) needsWorker(name string) bool {
	return slices.ContainsFunc(p.needsOf(name), func(n config.Need) bool {
		_, worker := p.config.Worker(n.Name)
		return worker || p.needsWorker(n.Name)
	})
}

// servesWorker tells whether a worker needs a program, directly or over others.
func (p *plan) servesWorker(name string, above map[string][]string) bool {
	return slices.ContainsFunc(above[name], func(by string) bool {
		_, isProgram := p.config.Program(by)
		return !isProgram || p.servesWorker(by, above)
	})
}
