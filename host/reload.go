package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
)

// Outcomes of a reload.
const (
	outcomeCommitted  = "committed"
	outcomeRefused    = "refused"     // nothing was touched
	outcomeRolledBack = "rolled_back" // the new generation was tried; the old one serves on
	outcomePlanned    = "planned"     // a dry run
)

// reload brings a new build and its configuration in. It is called by the
// reloader, one at a time.
func (m *master) reload(ctx context.Context, j *reloadJob) ctl.ReloadResult {
	result := ctl.ReloadResult{ID: j.id}
	give, err := takeAll(ctx, m.changes, m.transitions)
	if err != nil {
		return m.reloadEnded(result, outcomeRefused, err)
	}
	defer give()
	if m.isStopping() {
		return m.reloadEnded(result, outcomeRefused, errStopping)
	}
	began := time.Now()
	next, err := m.prepare(ctx, j.request)
	if err != nil {
		return m.reloadEnded(result, outcomeRefused, err)
	}
	defer m.closeUnusedBuilds(append(slices.Collect(maps.Values(next.builds)), next.build)...)
	result.Build = next.build.record()
	programs, names := next.split(j.request.Names)
	if len(programs) > 0 && len(names) == 0 {
		return m.reloadPrograms(ctx, result, next, programs, j.request.DryRun)
	}
	change, err := m.change(next, names)
	if err != nil {
		return m.reloadEnded(result, outcomeRefused, err)
	}
	result.Plan = change.sentences
	if j.request.DryRun {
		return m.reloadEnded(result, outcomePlanned, nil)
	}
	m.move("reloading", "")
	m.events.publish(ReloadStarted{ID: j.id, Build: result.Build})
	result.Ready, err = m.apply(ctx, change, began, result)
	result.Took = time.Since(began)
	if m.hasHeir() {
		return m.reloadEnded(result, outcomeCommitted, err)
	}
	if err != nil {
		m.resume()
		return m.reloadEnded(result, outcomeRolledBack, err)
	}
	result.Remarks = m.remarks(next, j.request.Names)
	if m.upgrader == nil {
		err = m.programsAfter(ctx, next, j.request.Names, programs)
		m.sockets.keepOnly(m.currentPlan().holders())
		result.Took = time.Since(began)
	}
	return m.reloadEnded(result, outcomeCommitted, err)
}

// prepare opens the build and asks it what it would run; nothing is touched.
func (m *master) prepare(ctx context.Context, request ctl.ReloadRequest) (*plan, error) {
	now := m.currentPlan()
	path := request.Binary
	if path == "" {
		path = m.path
	}
	b, err := openBuild(path)
	if err != nil {
		return nil, err
	}
	// The hash takes as long as the check, so both are made at the same time.
	m.group.Go("hash the new build", func(context.Context) { b.id() })
	c, err := m.preflight(ctx, b)
	if err == nil {
		err = config.CheckReload(now.config, c.Config)
	}
	if err != nil {
		b.id() // it reads the file
		b.close()
		return nil, err
	}
	next := (&plan{content: c.Content, apps: c.Apps, build: b, demo: now.demo, stopped: now.stopped, levels: now.levels}).withConfig(m.wishes().forWorkers(c.Config))
	if next.builds, err = openApps(c.Apps); err != nil {
		b.id()
		b.close()
		return nil, err
	}
	return next, nil
}

// change is the difference between the plan that runs and the next one.
type change struct {
	next      *plan
	work      []workload // what comes in
	removed   []*slot    // what goes without a successor
	sentences []string
}

func (m *master) change(next *plan, names []string) (change, error) {
	now := m.currentPlan()
	c := change{sentences: config.Diff(now.config, next.config)}
	workers, err := holders(now, next, names)
	if err != nil {
		return c, err
	}
	if workers != nil && next.config.Mode == config.Multi {
		next = next.withConfig(withWorkers(now.config, next.config, workers))
	}
	c.next = next
	concerned := func(worker string) bool { return workers == nil || slices.Contains(workers, worker) }
	coming := make(map[string]bool)
	for _, w := range next.workloads() {
		if concerned(w.Worker) {
			c.work = append(c.work, w)
			coming[slotName(w.Worker, w.Instance)] = true
			c.sentences = append(c.sentences, fmt.Sprintf("worker %s: new process of build %s", slotName(w.Worker, w.Instance), w.Build.id()))
		}
	}
	for _, s := range m.fleet.all() {
		if concerned(s.worker) && !coming[slotName(s.worker, s.instance)] {
			c.removed = append(c.removed, s)
			c.sentences = append(c.sentences, fmt.Sprintf("worker %s: ends", slotName(s.worker, s.instance)))
		}
	}
	return c, nil
}

func slotName(worker string, instance int) string { return fmt.Sprintf("%s/%d", worker, instance) }

// apply carries a change out, wholly or not at all.
func (m *master) apply(ctx context.Context, c change, began time.Time, result ctl.ReloadResult) (ready time.Duration, err error) {
	undo, err := m.sockets.ensureAll(ctx, c.next.holders())
	if err != nil {
		return 0, err
	}
	t := m.fleet.newTransition(m.next, c.work, c.removed)
	t.limits = limitsOf(c.next) // a limit that was too short can be mended by a reload
	t.handsOver = m.upgrader != nil
	var b Baton
	move := func() {}
	if t.handsOver {
		err := m.entrust(t, c.next, &move, func() (_ Baton, kept []program.Kept) {
			result.Ready = t.ready
			b, kept = m.baton(began, result)
			return b, kept
		})
		if err != nil {
			undo()
			return 0, err
		}
	}
	if err := t.run(ctx); err != nil {
		move()
		m.control.serve()
		m.entrustState(false)
		undo()
		return t.ready, err
	}
	m.committed(c.next)
	if t.handsOver {
		heir := t.entries[0].gen.run.(*flipInstance)
		m.retire(heir, b.Queue)
		return t.ready, heir.programs
	}
	m.warn(c.next)
	m.logs.limit(c.next.config.Log)
	m.sockets.keepOnly(c.next.holders())
	m.resume()
	if err := m.writeState(); err != nil {
		m.log.Warn("cannot write the state", "error", err)
	}
	return t.ready, nil
}

// entrust completes the workload of a successor, and makes the control socket
// wait before the commit: what arrives from then on is answered by whoever wins.
func (m *master) entrust(t *transition, next *plan, move *func(), baton func() (Baton, []program.Kept)) (err error) {
	w := &t.entries[0].gen.work
	if w.Assignment.Succession, err = m.succession(next); err != nil {
		return err
	}
	w.Baton = baton
	t.beforeCommit = func(ctx context.Context) error {
		m.control.pause()
		m.entrustState(true)
		*move, err = m.standStill(ctx)
		if err != nil {
			*move = func() {}
		}
		return err
	}
	return nil
}

func (m *master) committed(next *plan) {
	m.mu.Lock()
	m.plan = next
	m.commits++
	m.counts.Done++
	m.mu.Unlock()
}

// reloadEnded completes the result and tells everybody.
func (m *master) reloadEnded(r ctl.ReloadResult, outcome string, err error) ctl.ReloadResult {
	r.Outcome = outcome
	if err != nil {
		r.Error = err.Error()
		r.Output = outputOf(err)
		m.mu.Lock()
		m.counts.Failed++
		m.mu.Unlock()
	}
	if outcome != outcomeCommitted || m.upgrader == nil {
		m.events.publish(ReloadEnded{Result: r}) // else the successor does
	}
	return r
}

// outputOf gives the last output lines of what failed, if err has them.
func outputOf(err error) []string {
	if failed, ok := errors.AsType[*FailedError](err); ok {
		return failed.Tail
	}
	if check, ok := errors.AsType[*CheckError](err); ok {
		return check.rest()
	}
	if prog, ok := errors.AsType[*ProgramError](err); ok {
		return prog.Output
	}
	if other, ok := errors.AsType[*outputError](err); ok {
		return other.output
	}
	return nil
}

// remarks says what a person should know of a reload that went well.
func (m *master) remarks(next *plan, names []string) []string {
	if m.upgrader != nil || len(names) == 0 || m.own.id() == next.build.id() {
		return nil
	}
	return []string{fmt.Sprintf("the master itself still runs build %s; upgrade brings it to %s", m.own.id(), next.build.id())}
}

// closeUnusedBuilds lets go of executables that nothing will be started from any
// more. tried is the one of the reload that has just ended.
func (m *master) closeUnusedBuilds(tried ...*build) {
	used := map[*build]bool{m.currentPlan().build: true, m.own: true}
	for _, b := range m.currentPlan().builds {
		used[b] = true
	}
	for _, s := range m.fleet.all() {
		used[s.definition().Build] = true
	}
	kept := m.builds[:0]
	for _, b := range append(m.builds, tried...) {
		if used[b] {
			if !slices.Contains(kept, b) {
				kept = append(kept, b)
			}
			continue
		}
		b.close()
	}
	m.builds = kept
}
