package host

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dserver/dserver/host/config"
)

// wishes are what somebody asked for against what is configured. They are
// remembered over a restart of the master.
type wishes struct {
	Stopped map[string]bool `json:"stopped,omitempty"` // programs by name; false: started
	Scale   map[string]int  `json:"scale,omitempty"`   // programs by name
	// Workers are those that were scaled, by name.
	Workers map[string]workerScale `json:"workers,omitempty"`
	// Spared are programs that do not run because the last start was for others. The
	// next one forgets that.
	Spared []string `json:"spared,omitempty"`
}

// workerScale is how many instances of a worker somebody asked for. It counts until
// the configuration says another number than it said then.
type workerScale struct {
	Instances  int `json:"instances"`
	Configured int `json:"configured"`
}

// forWorkers gives a configuration with the wished numbers of instances.
func (w wishes) forWorkers(c *config.Config) *config.Config {
	for name, s := range w.Workers {
		if has, ok := c.Worker(name); ok && has.Instances == s.Configured {
			c = scaled(c, name, s.Instances)
		}
	}
	return c
}

// wishScale remembers how many instances of a worker are wished for.
func (m *master) wishScale(worker string, configured, instances int) {
	m.mu.Lock()
	w := m.wanted
	w.Workers = maps.Clone(w.Workers)
	if w.Workers == nil {
		w.Workers = make(map[string]workerScale)
	}
	if before, ok := w.Workers[worker]; ok && before.Instances == configured {
		configured = before.Configured // what runs is what was wished before
	}
	w.Workers[worker] = workerScale{Instances: instances, Configured: configured}
	m.wanted = w
	m.mu.Unlock()
	m.remember(w)
}

// recall reads what is remembered. What the first master of an instance was told to
// start by name is wished for, whatever was before.
func (m *master) recall(first bool) {
	var w wishes
	if err := m.dir.ReadWanted(&w); err != nil {
		m.log.Warn(err.Error())
	}
	if first {
		w.Spared = m.spared
	}
	named := first && len(m.options.Names) > 0
	if named {
		w = w.without(m.spared, m.plan)
	}
	m.mu.Lock()
	m.wanted = w
	m.plan = m.plan.withConfig(w.forWorkers(m.plan.config))
	m.mu.Unlock()
	if named {
		m.remember(w)
	}
}

// wishes gives what is remembered.
func (m *master) wishes() wishes {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wanted
}

// without gives the wishes after a start of all programs but the spared ones.
func (w wishes) without(spared []string, p *plan) wishes {
	stopped := make(map[string]bool)
	maps.Copy(stopped, w.Stopped)
	for _, prog := range p.config.Programs {
		switch {
		case slices.Contains(spared, prog.Name):
		case prog.Autostart:
			delete(stopped, prog.Name)
		default:
			stopped[prog.Name] = false
		}
	}
	w.Stopped = stopped
	return w
}

// forPrograms is what counts for programs that are new to the set of them.
func (w wishes) forPrograms() (stopped map[string]bool, scale map[string]int) {
	stopped = make(map[string]bool)
	maps.Copy(stopped, w.Stopped)
	for _, name := range w.Spared {
		stopped[name] = true
	}
	return stopped, w.Scale
}

// rememberWanted writes down what somebody wishes now.
func (m *master) rememberWanted() {
	var w wishes
	w.Stopped, w.Scale = m.programs.Wanted()
	runs := make(map[string]bool)
	for _, p := range m.programs.Programs(false) {
		runs[p.Name] = p.Wanted
	}
	m.mu.Lock()
	before := m.wanted
	w.Workers = before.Workers
	for _, name := range before.Spared {
		if runs[name] {
			continue
		}
		w.Spared = append(w.Spared, name)
		delete(w.Stopped, name) // nobody said so
		if down, said := before.Stopped[name]; said {
			w.Stopped[name] = down
		}
	}
	m.wanted = w
	m.mu.Unlock()
	m.remember(w)
}

func (m *master) remember(w wishes) {
	if err := m.dir.WriteWanted(w); err != nil {
		m.log.Warn(fmt.Sprintf("it will be forgotten at the next start: %v", err))
	}
}
