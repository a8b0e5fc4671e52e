package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/sandbox"
)

// notifySocket is the abstract address at which programs say that they are ready.
// A path in the runtime folder could not be reached by those of other users.
func notifySocket(d rundir.Dir) string { return "@dserver-" + markOf(d) + "-notify" }

// newPrograms makes what keeps the programs of this master.
func (m *master) newPrograms() (*program.Set, error) {
	return program.New(program.Options{
		Spawner: m.spawner, Cgroups: m.groups, Group: m.keepers, Log: m.log, Environ: inherit.Scrub(os.Environ()),
		Sinks: m.logs.program, Sockets: m.programSockets, NotifySocket: notifySocket(m.dir),
		Limits: func() program.Limits {
			l := m.limits()
			return program.Limits{Ready: l.Ready, Probation: l.Probation, Stop: l.Stop}
		},
		Publish: m.events.publishProgram,
		Outside: m.awaitWorker, Essential: m.essentialEnded,
	})
}

// programSockets gives the sockets of a program by the names that it knows.
func (m *master) programSockets(name string) (names []string, files []syscall.Conn) {
	p, _ := m.currentPlan().config.Program(name)
	for _, l := range listens(p.Listen) {
		h, _, err := m.sockets.ensure(m.keepers.Context(), name, l)
		if err != nil {
			m.log.Error("a program starts without a socket", "program", name, "error", err)
			continue
		}
		names, files = append(names, l.Name), append(files, h.socket)
	}
	return names, files
}

func listens(from []config.Listen) (out []sandbox.Listen) {
	for _, l := range from {
		out = append(out, sandbox.Listen{Name: l.Name, Network: l.Network, Address: l.Address})
	}
	return out
}

// holders gives all that sockets are held for, sandboxes and programs, in a form
// that says no more than which.
func (p *plan) holders() []Sandbox {
	out := p.sandboxes()
	for _, prog := range p.config.Programs {
		if len(prog.Listen) > 0 {
			out = append(out, Sandbox{Name: prog.Name, Listen: listens(prog.Listen)})
		}
	}
	return out
}

// split parts names into those of programs and their groups, and all others. The
// name of an application stands for its sandboxes.
func (p *plan) split(names []string) (programs, others []string) {
	for _, name := range names {
		_, isProgram := p.config.Program(name)
		isGroup := slices.ContainsFunc(p.config.Groups, func(g config.Group) bool { return g.Name == name })
		isApp := slices.ContainsFunc(p.config.Apps, func(a config.App) bool { return a.Name == name })
		switch {
		case isProgram || isGroup:
			programs = append(programs, name)
		case isApp:
			others = append(others, p.sandboxesOf(name)...)
		default:
			others = append(others, name)
		}
	}
	return programs, others
}

func (p *plan) sandboxesOf(app string) (names []string) {
	for _, w := range p.config.Workers {
		if w.App == app {
			names = append(names, w.Sandboxes...)
		}
	}
	return names
}

// applyPrograms brings the programs to the plan that is in force, and gives what
// went wrong. A program that went back to its old definition has that one in the
// plan as well from then on.
func (m *master) applyPrograms(ctx context.Context) (failed []program.Result) {
	p := m.currentPlan()
	m.mu.Lock()
	stopped, scale := m.wanted.forPrograms()
	m.mu.Unlock()
	for _, r := range m.programs.Apply(ctx, p.config.Programs, p.config.Groups, stopped, scale) {
		if r.Err != nil {
			failed = append(failed, r)
		}
	}
	back := make(map[string]config.Program)
	for i, r := range failed {
		if def, ok := m.definition(r.Program); ok && !samePrograms(def, p.config, r.Program) {
			back[r.Program] = def
			failed[i].Err = fmt.Errorf("%w; it is back to what it was", r.Err)
		}
	}
	if len(back) > 0 {
		m.mu.Lock()
		m.plan = m.plan.withDefinitions(back)
		m.mu.Unlock()
	}
	return failed
}

// definition is what a program is kept by.
func (m *master) definition(name string) (def config.Program, ok bool) {
	for _, r := range m.programs.Records().Programs {
		if json.Unmarshal(r.Definition, &def) == nil && def.Name == name {
			return def, true
		}
	}
	return config.Program{}, false
}

func samePrograms(def config.Program, c *config.Config, name string) bool {
	other, _ := c.Program(name)
	a, errA := json.Marshal(def)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// withDefinitions gives a copy of the plan with other definitions of some programs.
func (p *plan) withDefinitions(defs map[string]config.Program) *plan {
	c := *p.config
	c.Programs = slices.Clone(c.Programs)
	for i, prog := range c.Programs {
		if def, ok := defs[prog.Name]; ok {
			c.Programs[i] = def
		}
	}
	return p.withConfig(&c)
}

// unready says which programs a start that takes too long waits for.
func (m *master) unready(why error) error {
	var late, waiting []string
	for _, p := range m.programs.Programs(false) {
		switch at := slices.IndexFunc(p.Instances, func(i program.Instance) bool { return i.State == program.Starting }); {
		case at < 0:
		case p.Instances[at].Pid == 0:
			waiting = append(waiting, p.Name)
		default:
			late = append(late, p.Name)
		}
	}
	if len(late) > 0 {
		why = fmt.Errorf("%w: %s", why, joinNames(late))
	}
	if len(waiting) > 0 {
		why = fmt.Errorf("%w; not begun, for want of what they need: %s", why, joinNames(waiting))
	}
	return why
}

// essentialEnded ends the master with the exit code of a program without which it
// is of no use.
func (m *master) essentialEnded(name string, exit supervise.Exit) {
	code := exit.Code
	switch {
	case exit.Signal != 0:
		code = 128 + int(exit.Signal) // as shells say it
	case code < 0:
		code = exitFailed
	}
	m.mu.Lock()
	m.last = cli.Exit(code)
	m.mu.Unlock()
	m.stop(m.limits().Stop, fmt.Sprintf("the essential program %s has ended: %v", name, exit))
}

// actionsOf tells what a command did to programs.
func actionsOf(results []program.Result) []ctl.Action {
	out := make([]ctl.Action, len(results))
	for i, r := range results {
		out[i] = ctl.Action{Name: r.Program, State: string(r.State)}
		if r.Err != nil {
			out[i].Error = r.Err.Error()
		}
	}
	return out
}

// problemOf tells which problem an unknown name is to a caller; nil if none is.
func problemOf(results []program.Result) error {
	for _, r := range results {
		if unknown, ok := errors.AsType[*program.UnknownError](r.Err); ok {
			return ctl.Problemf(ctl.ErrNotFound, "%v", unknown)
		}
	}
	return nil
}
