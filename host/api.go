package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/sandbox"
)

var _ ctl.Master = (*master)(nil)

// Reload implements ctl.Operator.
func (m *master) Reload(ctx context.Context, r ctl.ReloadRequest) (ctl.ReloadResult, error) {
	if j, ok := m.reloads.resume(r.Resume); ok && r.Resume > 0 {
		result, err := m.await(ctx, j, r.Resume < j.id)
		if result.Outcome == ctl.OutcomeMoved {
			result.ID = r.Resume // what has taken its place stays known over another upgrade
		}
		return result, err
	}
	r.Resume = 0 // the reload it asks for was lost with its process: make it anew
	j, err := m.reloads.submit(r)
	if err != nil {
		return ctl.ReloadResult{}, ctl.Problemf(ctl.ErrRefused, "cannot reload: %v", err)
	}
	return m.await(ctx, j, false)
}

func (m *master) await(ctx context.Context, j *reloadJob, superseded bool) (ctl.ReloadResult, error) {
	result, err := j.wait(ctx)
	result.Superseded = result.Superseded || superseded
	if err != nil {
		return result, ctl.Problemf(ctl.ErrTimeout, "reload %d goes on: %v", result.ID, err)
	}
	return result, nil
}

// Start implements ctl.Operator: sandboxes that were stopped run again.
func (m *master) Start(ctx context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return m.both(ctx, r.Names, m.programs.Start, func(ctx context.Context, names []string) (ctl.ActionResult, error) {
		return m.each(ctx, names, m.limits().Ready, func(name string) { m.wish(name, false) },
			func(ctx context.Context, i instance, name string) (sandbox.Report, error) {
				return sandbox.Report{}, i.Start(ctx, name)
			})
	})
}

// Stop implements ctl.Operator. Without names it stops the whole master and
// answers when nothing is left of the fleet.
func (m *master) Stop(ctx context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	limit, why, signal := m.limits().Stop, "stop", syscall.SIGTERM
	if r.Drain {
		limit, why, signal = m.limits().Drain, "quit", syscall.SIGQUIT
	}
	if len(r.Names) == 0 {
		return m.stopAll(ctx, limit, why, signal)
	}
	return m.both(ctx, r.Names, m.programs.Stop, func(ctx context.Context, names []string) (ctl.ActionResult, error) {
		return m.each(ctx, names, limit, func(name string) { m.wish(name, true) },
			func(ctx context.Context, i instance, name string) (sandbox.Report, error) { return i.Stop(ctx, name) })
	})
}

// Restart implements ctl.Operator: Serve is called again in the code that runs.
func (m *master) Restart(ctx context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	limits := m.limits()
	return m.both(ctx, r.Names, m.programs.Restart, func(ctx context.Context, names []string) (ctl.ActionResult, error) {
		return m.each(ctx, names, limits.Drain+limits.Ready, func(name string) { m.wish(name, false) },
			func(ctx context.Context, i instance, name string) (sandbox.Report, error) {
				return i.Restart(ctx, name)
			})
	})
}

// LogLevel implements ctl.Operator. The level outlives restarts and reloads.
func (m *master) LogLevel(ctx context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	level, err := config.ParseLevel(r.Level)
	if err != nil {
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrInvalid, "%v", err)
	}
	return m.each(ctx, r.Names, m.limits().Ready, func(name string) { m.wishLevel(name, r.Level) },
		func(ctx context.Context, i instance, name string) (sandbox.Report, error) {
			return sandbox.Report{}, i.SetLevel(ctx, name, level)
		})
}

// stopAll stops the master, or by a signal that means the same the one that has succeeded it.
func (m *master) stopAll(ctx context.Context, limit time.Duration, why string, same os.Signal) (ctl.ActionResult, error) {
	if !m.stop(limit, why) {
		m.forward(same) // who asked did so before the heir answered here
	}
	select {
	case <-m.ended:
	case <-ctx.Done():
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrTimeout, "the stop goes on: %v", context.Cause(ctx))
	}
	return ctl.ActionResult{
		Results: []ctl.Action{{Name: m.dir.Name, State: string(sandbox.Stopped)}},
		Cut:     m.fleet.cuts(),
	}, nil
}

// action is what is done to a sandbox in one process.
type action func(ctx context.Context, i instance, name string) (sandbox.Report, error)

// both acts on names of which some may be programs, or groups of programs, and the
// others are sandboxes: on the programs first. An unknown name stops it before
// anything was done.
func (m *master) both(ctx context.Context, names []string, programs func(context.Context, []string) []program.Result, boxes func(context.Context, []string) (ctl.ActionResult, error)) (ctl.ActionResult, error) {
	progs, rest := m.currentPlan().split(names)
	if len(progs) == 0 {
		return boxes(ctx, rest)
	}
	if err := m.mayAct(rest); err != nil {
		return ctl.ActionResult{}, err
	}
	result, err := m.onPrograms(ctx, progs, programs)
	if err != nil || len(rest) == 0 {
		return result, err
	}
	more, err := boxes(ctx, rest)
	result.Results = append(result.Results, more.Results...)
	result.Cut = more.Cut
	return result, err
}

// onPrograms carries a command for programs out. A stop of the whole master, and a
// start that never gets ready, must not wait for each other, so nobody else is kept
// waiting meanwhile: programs look after themselves.
func (m *master) onPrograms(ctx context.Context, names []string, command func(context.Context, []string) []program.Result) (ctl.ActionResult, error) {
	give, err := m.takeChange(ctx, m.changes)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	give()
	waiting, done := m.callers.within(ctx)
	defer done()
	results := command(waiting, names)
	m.rememberWanted()
	if errors.Is(context.Cause(waiting), errMoved) {
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrRetry, "%v", errMoved)
	}
	return ctl.ActionResult{Results: actionsOf(results)}, nil
}

// each acts on sandboxes one after the other, in the order given, within limit
// for each. An unknown name stops it before anything was done; what fails for one
// does not keep the others from it. The end of ctx ends the wait for a reload
// that is under way, but nothing that has begun.
func (m *master) each(ctx context.Context, names []string, limit time.Duration, wish func(name string), act action) (ctl.ActionResult, error) {
	give, err := m.takeChange(ctx, m.changes)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	defer give()
	if err := m.mayAct(names); err != nil {
		return ctl.ActionResult{}, err
	}
	var result ctl.ActionResult
	for _, name := range names {
		wish(name)
		report, err := m.onInstances(context.WithoutCancel(ctx), name, limit, act)
		done := ctl.Action{Name: name, State: m.sandbox(name).State}
		if err != nil {
			done.Error = err.Error()
		}
		result.Results = append(result.Results, done)
		result.Cut = append(result.Cut, report.Cut...)
	}
	return result, nil
}

// mayAct tells why nothing can be done to these sandboxes now; nil if it can.
func (m *master) mayAct(names []string) error {
	switch {
	case m.isStopping():
		return ctl.Problemf(ctl.ErrRefused, "%v", errStopping)
	case m.hasHeir():
		return ctl.Problemf(ctl.ErrBusy, "a new process has just become the master").WithHint("try again")
	}
	p := m.currentPlan()
	for _, name := range names {
		if _, ok := p.workerOf(name); !ok {
			return ctl.Problemf(ctl.ErrNotFound, "%v", p.unknown(name))
		}
	}
	return nil
}

// onInstances acts on a sandbox in every process that runs it.
func (m *master) onInstances(ctx context.Context, name string, limit time.Duration, act action) (sandbox.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	worker, _ := m.currentPlan().workerOf(name)
	var all sandbox.Report
	var errs []error
	for _, s := range m.fleet.all() {
		g, _, _ := s.watched()
		if s.worker != worker || g == nil {
			continue
		}
		if state, _ := g.snapshot(); state != Serving {
			errs = append(errs, fmt.Errorf("worker %s is %s", g.place(), state))
			continue
		}
		report, err := act(ctx, g.run, name)
		all.Cut = append(all.Cut, report.Cut...)
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// wish remembers whether a sandbox is to be stopped, for processes to come.
func (m *master) wish(name string, stopped bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plan = m.plan.with(func(p *plan) { p.stopped[name] = stopped })
	m.rememberLocked()
}

func (m *master) wishLevel(name, level string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plan = m.plan.with(func(p *plan) { p.levels[name] = level })
	m.rememberLocked()
}

// rememberLocked makes what is started again after a crash know the wishes.
func (m *master) rememberLocked() {
	for _, s := range m.fleet.all() {
		s.rewish(m.plan)
	}
}
