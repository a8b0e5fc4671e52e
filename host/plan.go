package host

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/dserver/dserver/host/config"
)

// mainWorker is the name of the one worker in single mode: the master itself.
const mainWorker = "main"

// plan is what a master runs: a configuration, a build, and the wishes of those
// who stopped sandboxes or started only some.
type plan struct {
	config  *config.Config
	content json.RawMessage // see document
	build   *build
	apps    map[string]appDocument // by name
	builds  map[string]*build      // of apps, by name
	demo    bool
	stopped map[string]bool // by name; kept over crashes and reloads
	levels  map[string]string

	hash func() string // of config, computed once; the two go together, see withConfig
}

// hashOf gives what computes the hash of a configuration when it is first wanted.
func hashOf(c *config.Config) func() string { return sync.OnceValue(c.Hash) }

// withConfig gives a copy of the plan with another configuration.
func (p *plan) withConfig(c *config.Config) *plan {
	next := *p
	next.config, next.hash = c, hashOf(c)
	return &next
}

// workloads gives what the slots run, workers in the order of their first
// sandbox, instances from 1. In single mode there is one workload with all.
func (p *plan) workloads() []workload {
	if p.config.Mode == config.Single {
		return []workload{p.workload(mainWorker, 1, p.config.Sandboxes)}
	}
	var out []workload
	for _, w := range p.config.Workers {
		var boxes []config.Sandbox
		for _, b := range p.config.Sandboxes {
			if b.Worker == w.Name {
				boxes = append(boxes, b)
			}
		}
		for n := range w.Instances {
			out = append(out, p.workload(w.Name, n+1, boxes))
		}
	}
	return out
}

func (p *plan) workload(worker string, instance int, boxes []config.Sandbox) workload {
	a := Assignment{Instance: p.config.Name, Mode: string(p.config.Mode), Demo: p.demo, Config: p.content}
	for _, b := range boxes {
		a.Sandboxes = append(a.Sandboxes, p.sandbox(b))
	}
	settings, _ := p.config.Worker(worker)
	w := workload{Worker: worker, Instance: instance, Assignment: a, Build: p.build, Settings: settings}
	if app := settings.App; app != "" {
		w.Build, w.Assignment.Config, w.Assignment.Demo = p.builds[app], p.apps[app].Content, false
	}
	return w
}

func (p *plan) sandbox(b config.Sandbox) Sandbox {
	s := Sandbox{
		Name: b.Name, Config: tableText(b.Config), ExplicitReady: b.Ready == config.ReadyExplicit,
		Restart: string(b.Restart), Level: config.LevelName(b.Level), Stopped: p.stopped[b.Name],
		Listen: listens(b.Listen),
	}
	if level, ok := p.levels[b.Name]; ok {
		s.Level = level
	}
	return s
}

// tableText is a sandbox's own table as JSON. It came from JSON, TOML or the like
// and holds nothing that could fail to encode.
func tableText(table map[string]any) json.RawMessage {
	text, err := json.Marshal(table)
	if err != nil {
		return nil
	}
	return text
}

// sandboxes gives all sandboxes of the plan.
func (p *plan) sandboxes() []Sandbox {
	var out []Sandbox
	for _, b := range p.config.Sandboxes {
		out = append(out, p.sandbox(b))
	}
	return out
}

// workerOf tells which worker runs a sandbox.
func (p *plan) workerOf(name string) (string, bool) {
	b, ok := p.config.Sandbox(name)
	if !ok {
		return "", false
	}
	if p.config.Mode == config.Single {
		return mainWorker, true
	}
	return b.Worker, true
}

// holders gives the workers that run the named sandboxes now or shall run them
// in the next plan; nil means all.
func holders(now, next *plan, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var workers []string
	for _, name := range names {
		found := false
		for _, p := range []*plan{now, next} {
			if w, ok := p.workerOf(name); ok {
				workers, found = append(workers, w), true
			}
		}
		if !found {
			return nil, next.unknown(name)
		}
	}
	slices.Sort(workers)
	return slices.Compact(workers), nil
}

// document is the plan's configuration for another process.
func (p *plan) document() document {
	return document{Config: p.config, Content: p.content, Apps: p.apps}
}

// withWorkers gives the configuration in which only the named workers, and what
// runs in them, are as in next.
func withWorkers(now, next *config.Config, workers []string) *config.Config {
	concerned := func(worker string) bool { return slices.Contains(workers, worker) }
	merged := *now
	merged.Sandboxes, merged.Workers = nil, nil
	for _, b := range next.Sandboxes {
		if concerned(b.Worker) {
			merged.Sandboxes = append(merged.Sandboxes, b)
		} else if old, ok := now.Sandbox(b.Name); ok && !concerned(old.Worker) {
			merged.Sandboxes = append(merged.Sandboxes, old)
		}
	}
	for _, w := range next.Workers {
		if concerned(w.Name) {
			merged.Workers = append(merged.Workers, w)
		} else if old, ok := now.Worker(w.Name); ok {
			merged.Workers = append(merged.Workers, old)
		}
	}
	return &merged
}

// with gives a copy of the plan with other wishes. Plans are not changed once
// they are in use.
func (p *plan) with(change func(*plan)) *plan {
	next := *p
	next.stopped, next.levels = maps.Clone(p.stopped), maps.Clone(p.levels)
	change(&next)
	return &next
}

func (p *plan) names() []string {
	names := make([]string, len(p.config.Sandboxes))
	for i, b := range p.config.Sandboxes {
		names[i] = b.Name
	}
	return names
}

// unknown is the error for a name that nothing has.
func (p *plan) unknown(name string) *UnknownSandboxError {
	e := &UnknownSandboxError{Name: name, Known: p.names(), Programs: len(p.config.Programs) > 0}
	for _, prog := range p.config.Programs {
		e.Known = append(e.Known, prog.Name)
	}
	return e
}

// UnknownSandboxError means that the instance has no sandbox, and no program, of
// that name.
type UnknownSandboxError struct {
	Name  string
	Known []string // in start order
	// Programs says that there are programs, which are among the known names.
	Programs bool
}

// Error lists the names there are.
func (e *UnknownSandboxError) Error() string {
	what := "sandbox"
	if e.Programs {
		what = "sandbox and no program"
	}
	return fmt.Sprintf("there is no %s %q; there are: %s", what, e.Name, joinNames(e.Known))
}

func joinNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}
