package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// build makes a Config of the whole tree.
func (b *builder) build(root *node) *Config {
	c := &Config{}
	defaults(rootFields(), c)
	defaults(logFields(), &c.Log)
	apply(b, root, rootFields(), c)
	b.sandboxes(root, c)
	b.workers(root, c)
	b.programs(root, c)
	if c.Mode == Single {
		b.singleMode(root, c)
	}
	b.names(root, c)
	b.members(root, c)
	b.needs(root, c)
	b.unique(root, c)
	b.logFiles(root, c)
	b.probes(root, c)
	return c
}

// tables gives the tables under a key, such as those of [sandbox.NAME]. Tables
// whose name cannot be one are reported and left out.
func (b *builder) tables(root *node, key string) map[string]*node {
	group, ok := root.kids[key]
	if !ok {
		return nil
	}
	if !group.isTable() {
		b.refuse(group, wrongType("a table of tables", group))
		return nil
	}
	tables := make(map[string]*node, len(group.keys))
	group.each(func(kid *node) {
		if err := checkName(kid.name); err != nil {
			b.unknown(kid, err.Error(), "")
			return
		}
		tables[kid.name] = kid
	})
	return tables
}

func (b *builder) sandboxes(root *node, c *Config) {
	tables := b.tables(root, "sandbox")
	known := b.known
	if known == nil {
		for _, name := range keysOf(root, "sandbox") {
			if tables[name] != nil {
				known = append(known, Known{Name: name})
			}
		}
	}
	have := make([]string, len(known))
	for i, k := range known {
		have[i] = k.Name
		s := Sandbox{Name: k.Name, Worker: k.Worker, Level: c.Log.Level, Config: map[string]any{}}
		if s.Worker == "" {
			s.Worker = k.Name
		}
		defaults(sandboxFields(), &s)
		if table, ok := tables[k.Name]; ok {
			apply(b, table, sandboxFields(), &s)
		}
		c.Sandboxes = append(c.Sandboxes, s)
	}
	for _, name := range keysOf(root, "sandbox") {
		if table := tables[name]; table != nil && !slices.Contains(have, name) {
			b.unknown(table, "the application has no such sandbox"+among(have), nearest(name, have))
		}
	}
}

// among tells what there is, if that is short enough to be of help.
func among(have []string) string {
	if len(have) == 0 || len(have) > 8 {
		return ""
	}
	return ", it has " + strings.Join(have, ", ")
}

// keysOf gives the keys of a table below root, in their order.
func keysOf(root *node, key string) []string {
	if group, ok := root.kids[key]; ok && group.isTable() {
		return group.keys
	}
	return nil
}

func (b *builder) workers(root *node, c *Config) {
	tables := b.tables(root, "worker")
	var have []string
	for _, s := range c.Sandboxes {
		i := slices.Index(have, s.Worker)
		if i < 0 {
			i = len(have)
			have = append(have, s.Worker)
			c.Workers = append(c.Workers, b.worker(s.Worker, tables[s.Worker], c))
		}
		c.Workers[i].Sandboxes = append(c.Workers[i].Sandboxes, s.Name)
	}
	for _, name := range keysOf(root, "worker") {
		if table := tables[name]; table != nil && !slices.Contains(have, name) {
			b.unknown(table, "no sandbox runs in this worker", nearest(name, have))
		}
	}
}

func (b *builder) worker(name string, table *node, c *Config) Worker {
	w := Worker{Name: name, Process: Process{Umask: -1}}
	defaults(workerFields(), &w)
	if table == nil {
		return w
	}
	apply(b, table, workerFields(), &w)
	if table.isTable() {
		b.process(table, &w.Process)
		b.keep(table, "worker "+name, w.Keep, c)
	}
	return w
}

// singleMode tells what has no effect, or cannot be, where there are no workers.
func (b *builder) singleMode(root *node, c *Config) {
	for _, w := range c.Workers {
		table := root.kids["worker"].table(w.Name)
		if table == nil {
			continue
		}
		if n, ok := table.kids["user"]; ok && b.rights.uid == 0 && w.Process.Identity != nil && w.Process.Identity.UID != 0 {
			b.refuse(n, errors.New("in single mode sandboxes run in the process of the master, as root"))
		}
		var parts []string
		table.each(func(kid *node) {
			if kid.name != "needs" {
				parts = append(parts, kid.name+" = "+kid.show())
			}
		})
		switch {
		case len(parts) == 1:
			c.Warnings = append(c.Warnings, fmt.Sprintf("worker %s: %s has no effect in single mode", w.Name, parts[0]))
		case len(parts) > 1:
			c.Warnings = append(c.Warnings, fmt.Sprintf("worker %s: %s have no effect in single mode", w.Name, andList(parts)))
		}
	}
	for _, a := range c.Apps {
		b.unknown(root.kids["app"].kids[a.Name], "an app runs in workers, and there are none in single mode", "")
	}
}
