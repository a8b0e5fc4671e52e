package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Config is a checked configuration.
type Config struct {
	// Name of the instance: 1 to 63 of a-z, 0-9 and -. Default: the
	// application's name, or "dserver".
	Name string
	// Mode says where sandboxes run. Default: multi.
	Mode Mode
	// ReadyTimeout is how long a new generation may take until it is ready.
	// Default: 60s.
	ReadyTimeout time.Duration
	// Probation is how long a new generation that is ready must stay well before
	// it takes over. Default: 1s.
	Probation time.Duration
	// DrainTimeout is how long a generation that is replaced, or told to quit,
	// may take to finish what runs. Default: 30s.
	DrainTimeout time.Duration
	// StopTimeout is the same for a stop. Default: 10s.
	StopTimeout time.Duration
	// OrphanGrace is how long workers go on without a master. Default: 30s.
	OrphanGrace time.Duration
	// Log is about what is logged.
	Log Log
	// Sandboxes of the application, in start order: that of the application, or
	// that of the file if the application leaves it open.
	Sandboxes []Sandbox
	// Workers that these sandboxes run in, in the order of their first sandbox.
	Workers []Worker
	// Programs in the order of the file. Default: none.
	Programs []Program
	// Groups of programs, in the order of the file. Default: none.
	Groups []Group
	// Apps in the order of the file. Default: none.
	Apps []App
	// Warnings are sentences about what has no effect.
	Warnings []string
	// Files that were read, the main one first; absolute.
	Files []string

	content []byte // everything that was set, as JSON
}

// Mode says where sandboxes run.
type Mode string

// The modes.
const (
	Single Mode = "single" // in the process of the master
	Multi  Mode = "multi"  // in worker processes
)

// Log is about what is logged.
type Log struct {
	// Level below which nothing is logged. Default: info; with --env dev, debug.
	Level slog.Level
	// MaxSize of a log file in bytes; a bigger one is rotated. 0: never. Default: 64MiB.
	MaxSize int64
	// MaxAge of a log file; an older one is rotated. Default: 0, never.
	MaxAge time.Duration
	// Keep is how many rotated log files are kept. Default: 5.
	Keep int
	// Compress says that these are compressed. Default: true.
	Compress bool
}

// Sandbox is about one sandbox.
type Sandbox struct {
	// Name of the sandbox: 1 to 63 of a-z, 0-9 and -.
	Name string
	// Listen are its sockets, in the order of the file. Default: none.
	Listen []Listen
	// Worker is the process it runs in, in multi mode. Default: the
	// application's choice, or its own name.
	Worker string
	// Ready says when a start counts as done. Default: explicit.
	Ready Ready
	// Restart says what follows when it ends by itself. Default: on-failure.
	Restart Restart
	// Level of its logger. Default: that of Log.
	Level slog.Level
	// Config is the sandbox's own table. It holds what JSON can hold; whole
	// numbers are int64 or float64, by format. Default: empty, never nil.
	Config map[string]any
}

// UnmarshalJSON is for a configuration that comes from another process. Whole
// numbers in the sandbox's own table stay whole, however big.
func (s *Sandbox) UnmarshalJSON(data []byte) error {
	type plain Sandbox // without this method
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode((*plain)(s)); err != nil {
		return err
	}
	if s.Config == nil {
		s.Config = map[string]any{}
	}
	_, err := numbers(s.Config)
	return err
}

// Ready says when the start of a sandbox counts as done.
type Ready string

// What a start may wait for.
const (
	ReadyExplicit Ready = "explicit" // the service says so
	ReadyNone     Ready = "none"     // for nothing but the start
)

// Restart says what follows when a sandbox ends by itself.
type Restart string

// The restart policies.
const (
	RestartNo        Restart = "no"
	RestartOnFailure Restart = "on-failure" // if it ended with an error
	RestartAlways    Restart = "always"
)

// MaxWorkerInstances is how many processes of a worker may run.
const MaxWorkerInstances = 64

// Worker is one process, or several of the same kind.
type Worker struct {
	// Name of the worker: 1 to 63 of a-z, 0-9 and -.
	Name string
	// Instances is how many processes of it run, 1 to 64. Default: 1.
	Instances int
	// Sandboxes that run in it, in start order.
	Sandboxes []string
	// App is the application whose executable it runs; empty for the master's own.
	App string
	// Needs says what must have come how far before it is started. Default: nothing.
	Needs []Need
	// Essential says that the master ends when it has been given up. Default: false.
	Essential bool

	Process Process
	Keep    Keep
	Recycle Recycle
}

// Sandbox finds a sandbox by name.
func (c *Config) Sandbox(name string) (Sandbox, bool) {
	for _, s := range c.Sandboxes {
		if s.Name == name {
			return s, true
		}
	}
	return Sandbox{}, false
}

// Worker finds a worker by name.
func (c *Config) Worker(name string) (Worker, bool) {
	for _, w := range c.Workers {
		if w.Name == name {
			return w, true
		}
	}
	return Worker{}, false
}

// Program finds a program by name.
func (c *Config) Program(name string) (Program, bool) {
	for _, p := range c.Programs {
		if p.Name == name {
			return p, true
		}
	}
	return Program{}, false
}

// ParseLevel knows debug, info, warn and error.
func ParseLevel(text string) (slog.Level, error) {
	for i, name := range levels() {
		if text == name {
			return slog.LevelDebug + slog.Level(i)*(slog.LevelInfo-slog.LevelDebug), nil
		}
	}
	return 0, fmt.Errorf("level must be debug, info, warn or error, not %q", text)
}

// LevelName is the inverse of [ParseLevel]; a level between two of the four has
// the name of the lower one.
func LevelName(level slog.Level) string {
	i := (level - slog.LevelDebug) / (slog.LevelInfo - slog.LevelDebug)
	return levels()[max(0, min(i, 3))]
}

func levels() []string { return []string{"debug", "info", "warn", "error"} }

// Content is everything that was set in files, environment and flags, merged, as
// JSON, for services that share it with a framework.
func (c *Config) Content() []byte { return c.content }
