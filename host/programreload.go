package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
)

// reloadPrograms brings named programs to their new definition and code; nothing
// else is touched.
func (m *master) reloadPrograms(ctx context.Context, result ctl.ReloadResult, next *plan, names []string, dry bool) ctl.ReloadResult {
	now := m.currentPlan()
	merged := now.withConfig(withPrograms(now.config, next.config, names))
	result.Plan, result.Build = config.Diff(now.config, merged.config), now.build.record()
	for _, name := range names {
		result.Plan = append(result.Plan, fmt.Sprintf("program %s: reloaded", name))
	}
	if dry {
		return m.reloadEnded(result, outcomePlanned, nil)
	}
	began := time.Now()
	m.move("reloading", "")
	defer m.resume()
	m.events.publish(ReloadStarted{ID: result.ID, Build: result.Build})
	if _, err := m.sockets.ensureAll(ctx, merged.holders()); err != nil {
		return m.reloadEnded(result, outcomeRefused, err)
	}
	m.mu.Lock()
	m.plan = merged
	m.mu.Unlock()
	err := m.renewPrograms(ctx, names)
	m.sockets.keepOnly(m.currentPlan().holders())
	outcome := outcomeCommitted
	if err != nil {
		outcome = outcomeRolledBack
	}
	result.Took = time.Since(began)
	result.Ready = result.Took
	return m.reloadEnded(result, outcome, err)
}

// programsAfter brings programs to what a reload has just put into force: the named
// ones, or without any name all in which something has changed.
func (m *master) programsAfter(ctx context.Context, next *plan, names, programs []string) error {
	if len(names) == 0 { // next is in force
		return programsError(m.applyPrograms(ctx))
	}
	if len(programs) == 0 {
		return nil
	}
	now := m.currentPlan()
	merged := now.withConfig(withPrograms(now.config, next.config, programs))
	m.mu.Lock()
	m.plan = merged
	m.mu.Unlock()
	return m.renewPrograms(ctx, programs)
}

// renewPrograms brings programs to the plan that is in force, and those of them
// that it does not change to the code at their paths.
func (m *master) renewPrograms(ctx context.Context, names []string) error {
	before := m.programs.Programs(false)
	failed := m.applyPrograms(ctx)
	var same []string
	for _, name := range names {
		if generationOf(before, name) == generationOf(m.programs.Programs(false), name) {
			same = append(same, name)
		}
	}
	if len(failed) == 0 && len(same) > 0 {
		failed = m.programs.Reload(ctx, same)
	}
	return programsError(failed)
}

// generationOf adds up how often a program was started.
func generationOf(list []program.Status, name string) (sum int) {
	for _, s := range list {
		if s.Name == name {
			for _, in := range s.Instances {
				sum += in.Generation
			}
		}
	}
	return sum
}

// ProgramError is a program that could not be brought to what was asked for.
type ProgramError struct {
	Program string
	Err     error
	Output  []string // last lines
}

// Error names the program.
func (e *ProgramError) Error() string { return fmt.Sprintf("program %s: %v", e.Program, e.Err) }

// Unwrap gives the cause.
func (e *ProgramError) Unwrap() error { return e.Err }

func programsError(results []program.Result) error {
	var errs []error
	for _, r := range results {
		if r.Err != nil {
			errs = append(errs, &ProgramError{Program: r.Program, Err: r.Err, Output: r.Output})
		}
	}
	return errors.Join(errs...)
}

// withPrograms gives the configuration in which only the named programs are as in
// next.
func withPrograms(now, next *config.Config, names []string) *config.Config {
	merged := *now
	merged.Programs = nil
	isNamed := make(map[string]bool)
	for _, name := range names {
		isNamed[name] = true
	}
	for _, p := range next.Programs {
		old, known := now.Program(p.Name)
		switch {
		case isNamed[p.Name] || isNamed[p.Group]:
			merged.Programs = append(merged.Programs, p)
		case known:
			merged.Programs = append(merged.Programs, old)
		}
	}
	for _, p := range now.Programs {
		if _, still := next.Program(p.Name); !still && !isNamed[p.Name] {
			merged.Programs = append(merged.Programs, p)
		}
	}
	return &merged
}
