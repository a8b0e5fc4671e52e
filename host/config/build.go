package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/host/rundir"
)

type level = slog.Level

// builder makes a Config of a tree and collects what is wrong with it.
type builder struct {
	ctx    context.Context
	lookup Lookup
	known  []Known
	base   string // the folder of the configuration file, absolute
	search string // PATH of the master
	rights rights
	users  map[string]*user.User // found already
	groups map[string]int

	found []finding
}

// finding is an error that does not know its line yet.
type finding struct {
	at   place
	node *node // nil if it is about a file
	err  KeyError
}

// refuse reports that the value of n cannot be used.
func (b *builder) refuse(n *node, err error) {
	e := KeyError{Value: n.show(), Reason: readable(err.Error()), err: err}
	var why *reason
	if errors.As(err, &why) {
		e.Nearest = printable(why.nearest)
	}
	b.found = append(b.found, finding{n.at, n, e})
}

// unknown reports that n should not be there at all.
func (b *builder) unknown(n *node, why, nearest string) {
	b.found = append(b.found, finding{n.at, n, KeyError{Reason: why, Nearest: nearest}})
}

// fault reports what is wrong with a file as a whole, or at a line of it.
func (b *builder) fault(at place, err error) {
	var e *KeyError
	if !errors.As(err, &e) {
		e = &KeyError{Reason: err.Error(), err: err}
	}
	b.found = append(b.found, finding{at, nil, *e})
}

// errors gives what was found, in the order of places.
func (b *builder) errors() error {
	if len(b.found) == 0 {
		return nil
	}
	slices.SortStableFunc(b.found, func(x, y finding) int { return x.at.rank - y.at.rank })
	more := max(0, len(b.found)-maxErrors)
	errs := make(Errors, 0, maxErrors+1)
	for _, f := range b.found[:len(b.found)-more] {
		e := f.err
		e.Source = f.at.source
		if f.node != nil {
			e.Key, e.Line = cut(f.node.key(), 200), f.node.lineNumber()
		}
		errs = append(errs, &e)
	}
	slices.SortStableFunc(errs, func(x, y *KeyError) int {
		if x.Source == y.Source {
			return x.Line - y.Line
		}
		return 0
	})
	if more > 0 {
		errs = append(errs, &KeyError{Source: "and", Reason: fmt.Sprintf("%d more errors", more)})
	}
	return errs
}

// apply reads a table into to, field by field, in the order of the file.
func apply[T any](b *builder, n *node, fields []field[T], to *T) {
	if !n.isTable() {
		b.refuse(n, wrongType("a table", n))
		return
	}
	n.each(func(kid *node) {
		i := slices.IndexFunc(fields, func(f field[T]) bool { return f.key == kid.name })
		if i < 0 {
			b.unknownKey(kid, names(fields))
			return
		}
		fields[i].set(b, kid, to)
	})
}

// unknownKey reports a key that its table cannot have, with the one that is meant.
func (b *builder) unknownKey(n *node, keys []string) {
	if len(b.found) > 10*maxErrors { // nobody gets to see the rest
		b.unknown(n, "unknown key", "")
		return
	}
	meant := nearest(n.name, keys)
	if other := native(n.name, keys); other != "" {
		meant = other
	}
	b.unknown(n, "unknown key"+elsewhere(n.name, keys), meant)
}

// elsewhere tells which tables have a key that this one has not.
func elsewhere(key string, keys []string) string {
	if slices.Contains(keys, key) {
		return ""
	}
	var tables []string
	for _, t := range []struct {
		name string
		keys []string
	}{
		{"sandbox.NAME", names(sandboxFields())}, {"worker.NAME", names(workerFields())}, {"program.NAME", names(programFields())},
		{"group.NAME", names(groupFields())}, {"app.NAME", names(appFields())}, {"log", names(logFields())},
	} {
		if slices.Contains(t.keys, key) {
			tables = append(tables, "["+t.name+"]")
		}
	}
	if len(tables) == 0 {
		return ""
	}
	return " here; " + orList(tables) + " has it"
}

// defaults sets every field that has a default to it.
func defaults[T any](fields []field[T], to *T) {
	for _, f := range fields {
		if f.def != "" {
			f.set(&builder{}, &node{name: f.key, value: f.def, text: true}, to)
		}
	}
}

func readName(n *node) (string, error) {
	s, err := n.asText()
	if err == nil {
		err = checkName(s)
	}
	return s, err
}

// checkName keeps the master's name for the master: logs and workers are told
// apart by name.
func checkName(name string) error {
	if name == "master" {
		return errors.New("the name master is taken by the master itself")
	}
	return rundir.CheckName(name)
}

func readLevel(n *node) (level, error) {
	s, err := n.asText()
	if err != nil {
		return 0, err
	}
	l, err := ParseLevel(s)
	if err != nil {
		return 0, &reason{text: "must be " + orList(levels()), nearest: nearest(s, levels())}
	}
	return l, nil
}

// setNothing is for keys that are read elsewhere.
func setNothing(*builder, *node, *Config) {}

func setLog(b *builder, n *node, c *Config) { apply(b, n, logFields(), &c.Log) }

func setGoframe(b *builder, n *node, _ *Config) {
	if !n.isTable() {
		b.refuse(n, wrongType("a table", n))
	}
}

func setOwnTable(b *builder, n *node, s *Sandbox) {
	if !n.isTable() {
		b.refuse(n, wrongType("a table", n))
		return
	}
	s.Config, _ = n.content().(map[string]any)
}

// listenField is the key of sockets. It reads both forms: a list of addresses, and a
// table of named ones.
func listenField[T any](note, doc string, into func(*T) *[]Listen) field[T] {
	f := field[T]{key: "listen", kind: "list of addresses, or table of name = address", note: note, doc: doc}
	f.set = func(b *builder, n *node, to *T) { *into(to) = b.listens(n) }
	f.diff = func(old, next T) string {
		return changed("listen", listens(*into(&old)), listens(*into(&next)))
	}
	return f
}

func (b *builder) listens(n *node) []Listen {
	var sockets []Listen
	if n.isTable() {
		n.each(func(kid *node) {
			text, err := kid.asText()
			if err == nil {
				err = checkListenName(kid.name)
			}
			sockets = b.listen(sockets, kid, kid.name, text, err)
		})
		return sockets
	}
	list, err := n.asTexts()
	if err != nil {
		b.refuse(n, err)
		return nil
	}
	for i, text := range list {
		one := &node{name: n.name, parent: n.parent, at: n.at, value: text}
		sockets = b.listen(sockets, one, strconv.Itoa(i), text, nil)
	}
	return sockets
}

// checkListenName keeps names apart from the numbers of sockets without one.
func checkListenName(name string) error {
	if strings.Trim(name, "0123456789") == "" {
		return errors.New("the name of a socket must not be a number")
	}
	return rundir.CheckName(name)
}

// listen adds the socket that text says, unless err or text itself refuses it.
func (b *builder) listen(sockets []Listen, n *node, name, text string, err error) []Listen {
	var l Listen
	if err == nil {
		l, err = parseListen(b.ctx, text, b.lookup)
	}
	if err != nil {
		b.refuse(n, err)
		return sockets
	}
	l.Name = name
	if l.Network == "unix" {
		l.at = n.where()
	}
	return append(sockets, l)
}
