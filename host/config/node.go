package config

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxDepth is how deep tables and lists may lie in each other.
const maxDepth = 32

// node is one key of a configuration: a table with more of them, or a value.
type node struct {
	name   string
	parent *node
	at     place

	keys []string         // of a table, in the order they were set
	kids map[string]*node // of a table; nil makes it a value

	// value is a string, int64, float64, bool, []any or nil.
	value any
	// text says that the source knows strings only (environment, INI), so that
	// a string may stand for a number or a list.
	text bool
}

// place is where something was set.
type place struct {
	rank   int    // orders places: files, environment, flags
	source string // see KeyError.Source
	line   func(path []string) int
}

func newTable(at place) *node { return &node{at: at, kids: make(map[string]*node)} }

func (n *node) isTable() bool { return n.kids != nil }

// table finds a table below n, which may be nil.
func (n *node) table(name string) *node {
	if n == nil || n.kids[name] == nil || !n.kids[name].isTable() {
		return nil
	}
	return n.kids[name]
}

// add hangs kid under n as name, in place of what was there.
func (n *node) add(name string, kid *node) {
	kid.name, kid.parent = name, n
	if _, ok := n.kids[name]; !ok {
		n.keys = append(n.keys, name)
	}
	n.kids[name] = kid
}

// remove takes a key out of a table.
func (n *node) remove(name string) {
	delete(n.kids, name)
	n.keys = slices.DeleteFunc(n.keys, func(key string) bool { return key == name })
}

// each calls f for the keys of a table, in order.
func (n *node) each(f func(kid *node)) {
	for _, key := range n.keys {
		f(n.kids[key])
	}
}

func (n *node) path() []string {
	if n.parent == nil {
		return nil
	}
	return append(n.parent.path(), n.name)
}

// key is the dotted name that errors use.
func (n *node) key() string { return toml.Key(n.path()).String() }

func (n *node) lineNumber() int {
	if n.at.line == nil {
		return 0
	}
	return n.at.line(n.path())
}

// where is the source of n, with the line if it is known.
func (n *node) where() string {
	if line := n.lineNumber(); line > 0 {
		return fmt.Sprintf("%s:%d", n.at.source, line)
	}
	return n.at.source
}

// merge lays over over n: tables key by key, everything else as a whole. clash,
// if given, is told of every value that is replaced.
func (n *node) merge(over *node, clash func(old, new *node)) {
	over.each(func(kid *node) {
		old, ok := n.kids[kid.name]
		switch {
		case ok && old.isTable() && kid.isTable():
			old.merge(kid, clash)
		case ok && clash != nil:
			clash(old, kid)
		default:
			n.add(kid.name, kid)
		}
	})
}

// fill makes n of what a parser gave: maps, lists and scalars. sorted gives the
// keys of a table in the order they shall have.
func (n *node) fill(v any, sorted func(n *node, keys []string)) error {
	return n.fillAt(v, sorted, 0)
}

func (n *node) fillAt(v any, sorted func(*node, []string), depth int) error {
	if depth > maxDepth {
		return n.complain(errTooDeep())
	}
	table, ok := v.(map[string]any)
	if !ok {
		var err error
		if n.value, err = plain(v, depth); err != nil {
			return n.complain(err)
		}
		return nil
	}
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sorted(n, keys)
	n.kids = make(map[string]*node, len(keys))
	for _, key := range keys {
		kid := &node{at: n.at}
		n.add(key, kid)
		if err := kid.fillAt(table[key], sorted, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func errTooDeep() error { return fmt.Errorf("tables and lists lie more than %d deep", maxDepth) }

// complain says that the value of n cannot be kept at all.
func (n *node) complain(err error) error {
	return &KeyError{Key: cut(n.key(), 200), Line: n.lineNumber(), Reason: err.Error()}
}

// plain reduces a value to what JSON can hold.
func plain(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep()
	}
	switch v := v.(type) {
	case nil, string, bool, int64:
		return v, nil
	case int:
		return int64(v), nil
	case uint64: // YAML has these above the range of int64
		return float64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is not a number that can be used", v)
		}
		return v, nil
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = plain(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case []map[string]any: // [[tables]] of TOML
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return plain(list, depth)
	case map[string]any:
		table := make(map[string]any, len(v))
		for key := range v {
			var err error
			if table[key], err = plain(v[key], depth+1); err != nil {
				return nil, err
			}
		}
		return table, nil
	}
	return timeText(v)
}

// content is the value under n as plain Go values.
func (n *node) content() any {
	if !n.isTable() {
		return n.value
	}
	table := make(map[string]any, len(n.keys))
	n.each(func(kid *node) { table[kid.name] = kid.content() })
	return table
}

// show is the value as an error may quote it: short, on one line.
func (n *node) show() string {
	if n.isTable() {
		return "a table"
	}
	var text string
	switch v := n.value.(type) {
	case nil:
		return "nothing"
	case string:
		text = fmt.Sprintf("%q", cut(v, 80))
	case []any:
		parts := make([]string, 0, min(len(v), 8))
		for _, item := range v[:min(len(v), 8)] {
			parts = append(parts, (&node{value: item}).show())
		}
		text = "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		return "a table"
	default:
		text = fmt.Sprint(v)
	}
	return cut(text, 100)
}

// cut shortens text to about n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "..."
}
