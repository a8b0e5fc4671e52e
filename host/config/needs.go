package config

import (
	"fmt"
	"slices"
	"strings"
)

// needsField is the key needs. It reads both forms: a list of names, which must be
// ready, and a table of name = condition.
func needsField[T any](into func(*T) *[]Need) field[T] {
	f := field[T]{key: "needs", kind: "list of names, or table of name = condition", note: "nothing", doc: needsDoc}
	f.set = func(b *builder, n *node, to *T) { *into(to) = b.readNeeds(n) }
	f.diff = func(old, next T) string {
		return changed("needs", showNeeds(*into(&old)), showNeeds(*into(&next)))
	}
	return f
}

const needsDoc = "What must be there before it is started: names of programs and workers, which must be ready, or a table of " +
	"name = started, ready or completed. At a stop it goes before them."

func (b *builder) readNeeds(n *node) []Need {
	var needs []Need
	if n.isTable() {
		n.each(func(kid *node) {
			condition, err := oneOf(kid, NeedStarted, NeedReady, NeedCompleted)
			if err != nil {
				b.refuse(kid, err)
				return
			}
			needs = append(needs, Need{kid.name, condition})
		})
		return needs
	}
	list, err := n.asTexts()
	for i, name := range list {
		if slices.Contains(list[:i], name) {
			err = fmt.Errorf("%q is there twice", cut(name, 80))
		}
		needs = append(needs, Need{name, NeedReady})
	}
	if err != nil {
		b.refuse(n, err)
		return nil
	}
	return needs
}

func showNeeds(needs []Need) string {
	texts := make([]string, len(needs))
	for i, n := range needs {
		texts[i] = n.String()
	}
	return strings.Join(texts, ", ")
}

// String is the need for people: db=ready.
func (n Need) String() string { return n.Name + "=" + string(n.Condition) }

// dependent is something that can need something.
type dependent struct {
	key     string // program or worker
	name    string
	restart Restart
	needs   []Need
}

func (d dependent) String() string { return d.key + " " + d.name }

// dependents lists what can need something or, but for apps, be needed.
func dependents(c *Config) []dependent {
	var list []dependent
	for _, p := range c.Programs {
		list = append(list, dependent{"program", p.Name, p.Keep.Restart, p.Needs})
	}
	for _, w := range c.Workers {
		list = append(list, dependent{"worker", w.Name, w.Keep.Restart, w.Needs})
	}
	for _, a := range c.Apps {
		list = append(list, dependent{"app", a.Name, a.Keep.Restart, a.Needs})
	}
	return list
}

// needs checks that what is needed exists, can come so far, and does not wait for
// itself.
func (b *builder) needs(root *node, c *Config) {
	all := dependents(c)
	byName := make(map[string]int)
	var names []string
	for i, d := range all {
		if d.key != "app" {
			byName[d.name] = i
			names = append(names, d.name)
		}
	}
	for _, d := range all {
		for _, need := range d.needs {
			n := needNode(root, d, need.Name)
			i, ok := byName[need.Name]
			switch {
			case !ok:
				b.refuse(n, unknownNeed(c, need.Name, names))
			case need.Condition == NeedCompleted && all[i].restart == RestartAlways:
				b.refuse(n, fmt.Errorf(`%s never completes, since it has restart = "always"`, all[i]))
			}
		}
	}
	b.rings(root, all, byName)
	b.waits(c)
}

func unknownNeed(c *Config, name string, names []string) error {
	if s, ok := c.Sandbox(name); ok {
		return &reason{text: fmt.Sprintf("%s is a sandbox; its worker can be needed", name), nearest: s.Worker}
	}
	text := fmt.Sprintf("there is no program and no worker %s", cut(name, 80))
	if slices.ContainsFunc(c.Apps, func(a App) bool { return a.Name == name }) {
		text = fmt.Sprintf("%s is an app, and nothing can wait for that", name)
	}
	return &reason{text: text, nearest: nearest(name, names)}
}

// needNode finds where d says that it needs name.
func needNode(root *node, d dependent, name string) *node {
	n := root.kids[d.key].kids[d.name].kids["needs"]
	return firstOf(n, name)
}

// rings reports every ring of needs once, at the need that closes it.
func (b *builder) rings(root *node, all []dependent, byName map[string]int) {
	const fresh, open, done = 0, 1, 2
	state := make([]int, len(all))
	var path []string
	var walk func(i int)
	walk = func(i int) {
		state[i] = open
		path = append(path, all[i].name)
		for _, need := range all[i].needs {
			to, ok := byName[need.Name]
			if !ok {
				continue
			}
			switch state[to] {
			case fresh:
				walk(to)
			case open:
				ring := append(slices.Clone(path[slices.Index(path, need.Name):]), need.Name)
				b.refuse(needNode(root, all[i], need.Name), fmt.Errorf("they wait for each other: %s", cut(strings.Join(ring, " -> "), 400)))
			}
		}
		path = path[:len(path)-1]
		state[i] = done
	}
	for i := range all {
		if state[i] == fresh {
			walk(i)
		}
	}
}

// waits warns of programs that wait until somebody does something.
func (b *builder) waits(c *Config) {
	byName := make(map[string]*Program, len(c.Programs))
	for i := range c.Programs {
		byName[c.Programs[i].Name] = &c.Programs[i]
	}
	for i := range c.Programs {
		p := &c.Programs[i]
		for _, need := range p.Needs {
			to, ok := byName[need.Name]
			switch {
			case !ok || !p.Autostart:
			case !to.Autostart:
				c.Warnings = append(c.Warnings, fmt.Sprintf("program %s: waits until somebody starts %s, which has autostart = false", p.Name, to.Name))
			case to.Instances == 0:
				c.Warnings = append(c.Warnings, fmt.Sprintf("program %s: waits until somebody scales %s, which has instances = 0", p.Name, to.Name))
			}
		}
	}
}
