package config

import (
	"math"
	"time"
)

// field is one key that a table may have. It is the only place where the key
// stands: reading, defaults, suggestions and the documentation all come from it.
type field[T any] struct {
	key  string
	kind string // of its value, for people
	def  string // its default as one would write it; empty if there is none
	note string // says the default where def cannot
	doc  string
	set  func(b *builder, n *node, to *T)
	// diff tells how next differs from old, in words; empty if it does not. Without it
	// [Diff] knows the key by other means.
	diff func(old, next T) string
}

// set1 makes a setter of a reader and the field it reads into.
func set1[T, V any](read func(n *node) (V, error), into func(*T) *V) func(*builder, *node, *T) {
	return func(b *builder, n *node, to *T) {
		v, err := read(n)
		if err != nil {
			b.refuse(n, err)
			return
		}
		*into(to) = v
	}
}

func durationFrom(low time.Duration) func(*node) (time.Duration, error) {
	return func(n *node) (time.Duration, error) { return n.asDuration(low, 24*time.Hour) }
}

func rootFields() []field[Config] {
	fields := []field[Config]{
		{key: "name", kind: "name", note: "the application's name",
			doc: "Name of the instance. Several instances of one application need different names.",
			set: set1(readName, func(c *Config) *string { return &c.Name })},
		{key: "mode", kind: "single or multi", def: "multi",
			doc: "Where sandboxes run: in the process of the master, or in workers.",
			set: set1(func(n *node) (Mode, error) { return oneOf(n, Single, Multi) },
				func(c *Config) *Mode { return &c.Mode })},
		{key: "ready_timeout", kind: "duration", def: "60s",
			doc: "How long a new generation may take until it is ready.",
			set: set1(durationFrom(time.Millisecond), func(c *Config) *time.Duration { return &c.ReadyTimeout })},
		{key: "probation", kind: "duration", def: "1s",
			doc: "How long a new generation that is ready must stay well before it takes over.",
			set: set1(durationFrom(0), func(c *Config) *time.Duration { return &c.Probation })},
		{key: "drain_timeout", kind: "duration", def: "30s",
			doc: "How long a generation that is replaced, or told to quit, may take to finish what runs.",
			set: set1(durationFrom(0), func(c *Config) *time.Duration { return &c.DrainTimeout })},
		{key: "stop_timeout", kind: "duration", def: "10s",
			doc: "How long it may take when told to stop.",
			set: set1(durationFrom(0), func(c *Config) *time.Duration { return &c.StopTimeout })},
		{key: "orphan_grace", kind: "duration", def: "30s",
			doc: "How long workers whose master was killed go on and wait for a new one.",
			set: set1(durationFrom(0), func(c *Config) *time.Duration { return &c.OrphanGrace })},
		{key: "include", kind: "list of patterns", note: "none",
			doc: "Files to read as well, such as \"conf.d/*.toml\", relative to this file. " +
				"Only the main file may include, and no key may be set twice.",
			set: setNothing},
		{key: "log", kind: "table", doc: "What is logged.", set: setLog},
		{key: "sandbox", kind: "table of tables", doc: "One table for each sandbox.", set: setNothing},
		{key: "worker", kind: "table of tables", doc: "One table for each worker.", set: setNothing},
		{key: "program", kind: "table of tables", doc: "One table for each program.", set: setNothing},
		{key: "group", kind: "table of tables", doc: "One table for each group of programs.", set: setNothing},
		{key: "app", kind: "table of tables", doc: "One table for each application with an executable of its own.", set: setNothing},
	}
	for _, key := range goframeKeys() {
		fields = append(fields, field[Config]{key: key, kind: "table", note: "none",
			doc: "Goes to goframe as it is, for services that use it.", set: setGoframe})
	}
	return fields
}

// goframeKeys are the tables that goframe itself looks for in its configuration.
func goframeKeys() []string { return []string{"server", "logger", "database", "redis", "viewer"} }

func logFields() []field[Log] {
	return []field[Log]{
		{key: "level", kind: "debug, info, warn or error", def: "info", note: "info; with --env dev: debug",
			doc: "Less than this is not logged.",
			set: set1(readLevel, func(l *Log) *level { return &l.Level })},
		keyed(field[Log]{key: "max_size", def: "64MiB", doc: "A log file that is bigger is rotated; with 0B it never is."},
			aSizeOrZero(64<<10), func(l *Log) *int64 { return &l.MaxSize }),
		keyed(field[Log]{key: "max_age", note: "any age", doc: "A log file that is older is rotated."},
			aDurationOrZero(time.Second), func(l *Log) *time.Duration { return &l.MaxAge }),
		keyed(field[Log]{key: "keep", def: "5", doc: "How many rotated log files are kept."},
			aCount(0, 1000), func(l *Log) *int { return &l.Keep }),
		keyed(field[Log]{key: "compress", def: "true", doc: "Whether these are compressed."},
			aBool(), func(l *Log) *bool { return &l.Compress }),
	}
}

func sandboxFields() []field[Sandbox] {
	return []field[Sandbox]{
		listenField("none", "Its sockets: tcp://HOST:PORT, tcp4://, tcp6://, or unix://PATH; a relative path lies in the runtime folder. "+
			"Without names their index, from 0, is their name.", func(s *Sandbox) *[]Listen { return &s.Listen }),
		{key: "worker", kind: "name", note: "the application's choice, or the sandbox's name",
			doc: "The worker it runs in. Those that name the same one share a process.",
			set: set1(readName, func(s *Sandbox) *string { return &s.Worker })},
		{key: "ready", kind: "explicit or none", def: "explicit",
			doc: "Whether a start waits until the service says that it is ready.",
			set: set1(func(n *node) (Ready, error) { return oneOf(n, ReadyExplicit, ReadyNone) },
				func(s *Sandbox) *Ready { return &s.Ready })},
		{key: "restart", kind: "no, on-failure or always", def: "on-failure",
			doc: "What follows when it ends by itself.",
			set: set1(func(n *node) (Restart, error) { return oneOf(n, RestartNo, RestartOnFailure, RestartAlways) },
				func(s *Sandbox) *Restart { return &s.Restart })},
		{key: "level", kind: "debug, info, warn or error", note: "log.level",
			doc: "Less than this is not logged by its logger.",
			set: set1(readLevel, func(s *Sandbox) *level { return &s.Level })},
		{key: "config", kind: "table", note: "empty",
			doc: "The sandbox's own; the service reads it.",
			set: setOwnTable},
	}
}

// small is for numbers whose bounds are those of an int32 at most.
func small(i int64, err error) (int, error) {
	return int(max(math.MinInt32, min(i, math.MaxInt32))), err
}

func names[T any](fields []field[T]) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.key
	}
	return list
}
