package config

import (
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
	b.unique(root, c)
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
			c.Workers = append(c.Workers, b.worker(s.Worker, tables[s.Worker]))
		}
		c.Workers[i].Sandboxes = append(c.Workers[i].Sandboxes, s.Name)
	}
	for _, name := range keysOf(root, "worker") {
		if table := tables[name]; table != nil && !slices.Contains(have, name) {
			b.unknown(table, "no sandbox runs in this worker", nearest(name, have))
		}
	}
	for _, w := range c.Workers {
		if c.Mode == Single && w.Instances > 1 {
			c.Warnings = append(c.Warnings,
				fmt.Sprintf("worker %s: instances = %d has no effect in single mode", w.Name, w.Instances))
		}
	}
}

func (b *builder) worker(name string, table *node) Worker {
	w := Worker{Name: name}
	defaults(workerFields(), &w)
	if table != nil {
		apply(b, table, workerFields(), &w)
	}
	return w
}

// unique reports sockets that cannot be open at the same time.
func (b *builder) unique(root *node, c *Config) {
	type owned struct {
		Listen
		key string
	}
	byPort := make(map[string][]owned) // sockets that differ here never overlap
	for _, s := range c.Sandboxes {
		for _, l := range s.Listen {
			where := l.Address
			if l.Network != "unix" {
				where = l.Address[strings.LastIndexByte(l.Address, ':'):]
			}
			for _, o := range byPort[where] {
				if l.overlaps(o.Listen) {
					n := listenNode(root, s.Name, l)
					b.found = append(b.found, finding{n.at, n,
						KeyError{Value: n.show(), Reason: fmt.Sprintf("%s is taken by %s (%s)", l, o.key, o.Listen)}})
					break
				}
			}
			byPort[where] = append(byPort[where], owned{l, listenKey(s.Name, l)})
		}
	}
}

// listenNode finds where a socket was set.
func listenNode(root *node, sandbox string, l Listen) *node {
	n := root.kids["sandbox"].kids[sandbox].kids["listen"]
	if named, ok := n.kids[l.Name]; ok {
		return named
	}
	return n
}
