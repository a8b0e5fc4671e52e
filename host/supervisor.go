package host

import (
	"context"
	"errors"
	"slices"
	"syscall"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/internal/signals"
)

// Programs implements ctl.Supervisor.
func (m *master) Programs(_ context.Context, d ctl.Detail) []ctl.Program {
	list := m.programs.Programs(d.History)
	out := make([]ctl.Program, len(list))
	for i, s := range list {
		out[i] = m.programRecord(s, d)
	}
	return out
}

func (m *master) programRecord(s program.Status, d ctl.Detail) ctl.Program {
	detailed := d.Name == "" || d.Name == s.Name
	p := ctl.Program{
		Name: s.Name, State: string(s.State), Wanted: s.Wanted, Command: s.Command, Group: s.Group,
		Listen: m.sockets.addresses(s.Name), Instances: make([]ctl.ProgramInstance, len(s.Instances)),
	}
	for i, in := range s.Instances {
		r := ctl.ProgramInstance{
			Instance: in.Instance, Generation: in.Generation, State: string(in.State), Pid: in.Pid, Since: in.Since,
			Restarts: in.Restarts, Next: in.Next, Reason: in.Reason, By: in.By, Output: in.Output,
		}
		if detailed {
			for _, run := range in.History {
				r.History = append(r.History, ctl.Run(run))
			}
			if d.Usage && in.Pid > 0 {
				r.Usage = usageOf(in.Pid)
			}
		}
		p.Instances[i] = r
	}
	return p
}

// Signal implements ctl.Supervisor. Workers take signals as well as programs.
func (m *master) Signal(ctx context.Context, r ctl.SignalRequest) (ctl.ActionResult, error) {
	sig, err := signals.Parse(r.Signal)
	if err != nil {
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrInvalid, "%v", err)
	}
	var result ctl.ActionResult
	for _, name := range r.Names {
		if !m.isWorker(name) {
			results := m.programs.Signal(ctx, []string{name}, sig)
			if err := problemOf(results); err != nil {
				return result, err
			}
			result.Results = append(result.Results, actionsOf(results)...)
			continue
		}
		result.Results = append(result.Results, m.signalWorker(name, sig))
	}
	return result, nil
}

func (m *master) isWorker(name string) bool {
	_, ok := m.currentPlan().config.Worker(name)
	return ok && m.workers != nil
}

func (m *master) signalWorker(name string, sig syscall.Signal) ctl.Action {
	a := ctl.Action{Name: name, State: Serving.String()}
	var errs []error
	for _, s := range m.fleet.all() {
		if g, _, _ := s.watched(); g != nil && s.worker == name {
			if i, ok := g.run.(*processInstance); ok {
				errs = append(errs, i.process.Signal(sig))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		a.Error = err.Error()
	}
	return a
}

// Scale implements ctl.Supervisor.
func (m *master) Scale(ctx context.Context, r ctl.ScaleRequest) (ctl.ActionResult, error) {
	if m.isWorker(r.Name) {
		return m.scaleWorker(ctx, r)
	}
	give, err := m.takeChange(ctx, m.changes)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	defer give()
	results := []program.Result{m.programs.Scale(ctx, r.Name, r.Instances)}
	m.rememberWanted()
	return ctl.ActionResult{Results: actionsOf(results)}, problemOf(results)
}

// takeChange takes turns for a caller's change, or tells him why it cannot.
func (m *master) takeChange(ctx context.Context, turns ...turn) (give func(), err error) {
	ctx, done := m.callers.within(ctx)
	defer done()
	give, err = takeAll(ctx, turns...)
	if errors.Is(err, errMoved) {
		return nil, ctl.Problemf(ctl.ErrRetry, "%v", err)
	}
	if err != nil {
		return nil, ctl.Problemf(ctl.ErrTimeout, "another change is under way: %v", err)
	}
	if err := m.mayAct(nil); err != nil {
		give()
		return nil, err
	}
	return give, nil
}

// scaleWorker starts or retires instances of a worker.
func (m *master) scaleWorker(ctx context.Context, r ctl.ScaleRequest) (ctl.ActionResult, error) {
	if r.Instances < 1 || r.Instances > config.MaxWorkerInstances {
		return ctl.ActionResult{}, ctl.Problemf(ctl.ErrInvalid, "cannot run %d instances of worker %s: want 1 to %d", r.Instances, r.Name, config.MaxWorkerInstances)
	}
	give, err := m.takeChange(ctx, m.changes, m.transitions)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	defer give()
	now := m.currentPlan()
	next := now.withConfig(scaled(now.config, r.Name, r.Instances))
	var removed []*slot
	for _, s := range m.fleet.all() {
		if s.worker == r.Name && s.instance > r.Instances {
			removed = append(removed, s)
		}
	}
	action := ctl.Action{Name: r.Name, State: Serving.String()}
	if err := m.fleet.newTransition(m.next, m.fleet.without(next.workloads()), removed).run(context.WithoutCancel(ctx)); err != nil {
		action.Error = err.Error()
		return ctl.ActionResult{Results: []ctl.Action{action}}, nil
	}
	before, _ := now.config.Worker(r.Name)
	m.mu.Lock()
	m.plan = next
	m.mu.Unlock()
	m.wishScale(r.Name, before.Instances, r.Instances)
	return ctl.ActionResult{Results: []ctl.Action{action}}, nil
}

// scaled gives a configuration with another number of instances of one worker.
func scaled(c *config.Config, worker string, instances int) *config.Config {
	next := *c
	next.Workers = slices.Clone(c.Workers)
	for i := range next.Workers {
		if next.Workers[i].Name == worker {
			next.Workers[i].Instances = instances
		}
	}
	return &next
}

// Reset implements ctl.Supervisor.
func (m *master) Reset(ctx context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	give, err := m.takeChange(ctx, m.changes)
	if err != nil {
		return ctl.ActionResult{}, err
	}
	defer give()
	var result ctl.ActionResult
	for _, name := range r.Names {
		if m.isWorker(name) {
			m.resetWorker(name)
			result.Results = append(result.Results, ctl.Action{Name: name, State: Starting.String()})
			continue
		}
		results := m.programs.Reset(ctx, []string{name})
		if err := problemOf(results); err != nil {
			return result, err
		}
		result.Results = append(result.Results, actionsOf(results)...)
	}
	return result, nil
}

func (m *master) resetWorker(name string) {
	for _, s := range m.fleet.all() {
		if s.worker == name {
			s.reset()
		}
	}
}
