package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CheckReload tells whether an instance that runs with old can go on with next.
// Its name and its mode cannot change while it runs.
func CheckReload(old, next *Config) error {
	switch {
	case old.Name != next.Name:
		return fmt.Errorf("cannot change the name from %s to %s by a reload: stop %s, then start %s",
			old.Name, next.Name, old.Name, next.Name)
	case old.Mode != next.Mode:
		return fmt.Errorf("cannot change the mode from %s to %s by a reload: stop, then start again", old.Mode, next.Mode)
	}
	return nil
}

// Hash is the same for configurations that mean the same: 64 hexadecimal digits.
// Warnings and the names of files do not count.
func (c *Config) Hash() string {
	meaning := *c
	meaning.Warnings, meaning.Files = nil, nil
	// Nothing in a Config that Load made can fail to encode.
	text, err := json.Marshal(meaning)
	sum := sha256.Sum256(text)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum[:])
}

// Diff tells what changes from old to next, a sentence each, in a fixed order:
// the instance, sandboxes, workers, programs, groups, apps. Values of a sandbox's own
// table and of variables are not told, they may be secret. Both must be [Config.Resolve]d, or neither.
func Diff(old, next *Config) []string {
	lines := changes("", settings(old), settings(next))
	lines = append(lines, diffNamed("sandbox", old.Sandboxes, next.Sandboxes,
		func(s Sandbox) string { return s.Name }, sandboxChanges)...)
	lines = append(lines, diffNamed("worker", old.Workers, next.Workers,
		func(w Worker) string { return w.Name }, workerChanges)...)
	lines = append(lines, diffNamed("program", old.Programs, next.Programs,
		func(p Program) string { return p.Name }, byField(programFields()))...)
	lines = append(lines, diffNamed("group", old.Groups, next.Groups,
		func(g Group) string { return g.Name }, byField(groupFields()))...)
	lines = append(lines, diffNamed("app", old.Apps, next.Apps,
		func(a App) string { return a.Name }, byField(appFields()))...)
	return append(lines, orderChanges(old, next)...)
}

// setting is one key and its value for people.
type setting struct{ key, value string }

func settings(c *Config) []setting {
	return []setting{
		{"name", c.Name},
		{"mode", string(c.Mode)},
		{"ready_timeout", c.ReadyTimeout.String()},
		{"probation", c.Probation.String()},
		{"drain_timeout", c.DrainTimeout.String()},
		{"stop_timeout", c.StopTimeout.String()},
		{"orphan_grace", c.OrphanGrace.String()},
		{"log.level", LevelName(c.Log.Level)},
		{"log.max_size", orEmpty(formatSize)(c.Log.MaxSize)},
		{"log.max_age", orEmpty(time.Duration.String)(c.Log.MaxAge)},
		{"log.keep", strconv.Itoa(c.Log.Keep)},
		{"log.compress", strconv.FormatBool(c.Log.Compress)},
	}
}

// changes compares two lists of the same keys.
func changes(prefix string, old, next []setting) []string {
	var lines []string
	for i, s := range old {
		if line := changed(s.key, s.value, next[i].value); line != "" {
			lines = append(lines, prefix+line)
		}
	}
	return lines
}

// changed tells that a value has become another one; empty if it has not.
func changed(key, old, next string) string {
	if old == next {
		return ""
	}
	return fmt.Sprintf("%s %s -> %s", key, orNone(old), orNone(next))
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// diffNamed compares two lists of things that have names: what is new, what is
// gone, and what differs, in the order of next, then of old.
func diffNamed[T any](kind string, old, next []T, name func(T) string, differ func(prefix string, old, next T) []string) []string {
	var lines []string
	before := make(map[string]T, len(old))
	for _, o := range old {
		before[name(o)] = o
	}
	for _, n := range next {
		if o, ok := before[name(n)]; ok {
			lines = append(lines, differ(kind+" "+name(n)+": ", o, n)...)
			delete(before, name(n))
		} else {
			lines = append(lines, kind+" "+name(n)+": new")
		}
	}
	for _, o := range old {
		if _, gone := before[name(o)]; gone {
			lines = append(lines, kind+" "+name(o)+": removed")
		}
	}
	return lines
}

func sandboxChanges(prefix string, old, next Sandbox) []string {
	describe := func(s Sandbox) []setting {
		return []setting{
			{"listen", listens(s.Listen)}, {"worker", s.Worker}, {"ready", string(s.Ready)},
			{"restart", string(s.Restart)}, {"level", LevelName(s.Level)},
		}
	}
	lines := changes(prefix, describe(old), describe(next))
	if keys := changedKeys("config", old.Config, next.Config); len(keys) > 0 {
		lines = append(lines, prefix+strings.Join(keys, ", ")+" changed")
	}
	return lines
}

func workerChanges(prefix string, old, next Worker) []string {
	describe := func(w Worker) []setting {
		return []setting{{"app", w.App}, {"sandboxes", strings.Join(w.Sandboxes, ", ")}}
	}
	return append(changes(prefix, describe(old), describe(next)), byField(workerFields())(prefix, old, next)...)
}

// byField compares two of the same kind key by key.
func byField[T any](fields []field[T]) func(prefix string, old, next T) []string {
	return func(prefix string, old, next T) []string {
		var lines []string
		for _, f := range fields {
			if line := f.diff(old, next); line != "" {
				lines = append(lines, prefix+line)
			}
		}
		return lines
	}
}

// listens shows sockets as they would be written, with their names if these are
// not their places in the list.
func listens(list []Listen) string {
	parts := make([]string, len(list))
	for i, l := range list {
		if parts[i] = l.String(); l.Name != strconv.Itoa(i) {
			parts[i] = l.Name + "=" + parts[i]
		}
	}
	return strings.Join(parts, ", ")
}

// changedKeys gives the dotted keys that differ, sorted.
func changedKeys(prefix string, old, next map[string]any) []string {
	var keys []string
	for key := range old {
		keys = append(keys, key)
	}
	for key := range next {
		if _, ok := old[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changed []string
	for _, key := range keys {
		a, inOld := old[key]
		b, inNext := next[key]
		tableA, okA := a.(map[string]any)
		tableB, okB := b.(map[string]any)
		switch {
		case okA && okB:
			changed = append(changed, changedKeys(prefix+"."+key, tableA, tableB)...)
		case inOld != inNext || !same(a, b):
			changed = append(changed, prefix+"."+key)
		}
	}
	return changed
}

// same compares values as JSON, in which 5 and 5.0 do not differ: a configuration
// that came from another process has lost that difference.
func same(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// orderChanges tells of a new order of what stays.
func orderChanges(old, next *Config) []string {
	sandbox := func(s Sandbox) string { return s.Name }
	program := func(p Program) string { return p.Name }
	group := func(g Group) string { return g.Name }
	app := func(a App) string { return a.Name }
	var lines []string
	for _, order := range []struct {
		what      string
		old, next []string
	}{
		{"start order", namesOf(old.Sandboxes, sandbox), namesOf(next.Sandboxes, sandbox)},
		{"order of programs", namesOf(old.Programs, program), namesOf(next.Programs, program)},
		{"order of groups", namesOf(old.Groups, group), namesOf(next.Groups, group)},
		{"order of apps", namesOf(old.Apps, app), namesOf(next.Apps, app)},
	} {
		a, b := common(order.old, order.next), common(order.next, order.old)
		if !slices.Equal(a, b) {
			lines = append(lines, order.what+" "+strings.Join(a, ", ")+" -> "+strings.Join(b, ", "))
		}
	}
	return lines
}

func namesOf[T any](list []T, name func(T) string) []string {
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = name(one)
	}
	return names
}

// common is what of list is in other as well.
func common(list, other []string) []string {
	there := make(map[string]bool, len(other))
	for _, name := range other {
		there[name] = true
	}
	var both []string
	for _, name := range list {
		if there[name] {
			both = append(both, name)
		}
	}
	return both
}
