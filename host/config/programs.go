package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// named makes the things of [KEY.NAME], in the order of the file: each starts as a
// copy of what its defaults are, reads its table, and is completed.
func named[T any](b *builder, root *node, key string, standard T, fields []field[T], complete func(table *node, name string, t *T)) []T {
	defaults(fields, &standard)
	tables := b.tables(root, key)
	var list []T
	for _, name := range keysOf(root, key) {
		if table := tables[name]; table != nil {
			one := standard
			apply(b, table, fields, &one)
			complete(table, name, &one)
			list = append(list, one)
		}
	}
	return list
}

func (b *builder) programs(root *node, c *Config) {
	standard := Program{Live: Liveness{Probe: Probe{Kind: ProbeStarted}}, Process: Process{Umask: -1},
		StartTimeout: c.ReadyTimeout,
		Output:       Output{MaxSize: c.Log.MaxSize, MaxAge: c.Log.MaxAge, Keep: c.Log.Keep, Compress: c.Log.Compress}}
	c.Programs = named(b, root, "program", standard, programFields(), func(table *node, name string, p *Program) {
		p.Name = name
		if table.isTable() {
			b.program(table, p, c)
		}
	})
	c.Groups = named(b, root, "group", Group{}, groupFields(), func(_ *node, name string, g *Group) { g.Name = name })
	c.Apps = named(b, root, "app", App{Process: Process{Umask: -1}}, appFields(), func(table *node, name string, a *App) {
		a.Name = name
		if table.isTable() {
			b.app(table, a, c)
		}
	})
}

// program completes a program that was read from table.
func (b *builder) program(table *node, p *Program, c *Config) {
	if table.kids["command"] == nil {
		b.unknown(table, "command is missing", "")
	}
	search := b.searchPath(p.Process)
	b.command(table, "command", p.Command, search)
	b.command(table, "pre_start", p.PreStart, search)
	b.command(table, "post_stop", p.PostStop, search)
	b.command(table, "on_fatal", p.OnFatal, search)
	b.command(table, "ready", p.Ready.Command, search)
	b.command(table, "live", p.Live.Probe.Command, search)
	p.Stop = slices.Clone(p.Stop) // those of the defaults belong to all
	for i := range p.Stop {
		b.command(table, "stop", p.Stop[i].Command, search)
		if p.Stop[i].Wait == unsaid {
			p.Stop[i].Wait = c.StopTimeout
		}
	}
	if p.Reload == "" {
		p.Reload = ReloadRestart
		if len(p.Listen) > 0 {
			p.Reload = ReloadReplace
		}
	}
	if p.Process.Dir == "" {
		p.Process.Dir = b.base
	}
	b.process(table, &p.Process)
	b.keep(table, "program "+p.Name, p.Keep, c)
	b.programSense(table, p, c)
}

func (b *builder) app(table *node, a *App, c *Config) {
	if table.kids["command"] == nil {
		b.unknown(table, "command is missing", "")
	}
	b.command(table, "command", a.Command, b.searchPath(a.Process))
	if a.Config == "" && len(a.Command) > 0 {
		a.Config = besideExecutable(a.Command[0])
	}
	if a.Process.Dir == "" {
		a.Process.Dir = b.base
	}
	b.process(table, &a.Process)
	b.keep(table, "app "+a.Name, a.Keep, c)
}

// besideExecutable finds the configuration file that lies beside an executable.
func besideExecutable(path string) string {
	for _, ext := range extensions() {
		file := filepath.Join(filepath.Dir(path), "dserver"+ext)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// searchPath is the PATH that a process will have, as far as this file says it.
func (b *builder) searchPath(p Process) string {
	if path, ok := p.Env["PATH"]; ok {
		return path
	}
	return b.search
}

// command replaces the first word of a command by the path of the executable.
func (b *builder) command(table *node, key string, words []string, search string) {
	if len(words) == 0 {
		return
	}
	path, err := b.executable(words[0], search)
	if err != nil {
		b.refuse(firstOf(table, key), err)
		return
	}
	words[0] = path
}

// process completes and checks what programs, workers and apps have alike.
func (b *builder) process(table *node, p *Process) {
	b.identity(table, p)
	if n := table.table("secrets"); n != nil {
		n.each(func(kid *node) {
			if _, ok := p.Env[kid.name]; ok {
				b.unknown(kid, "is set by env already", "")
			}
		})
	}
	if p.Memory > 0 && p.MemoryHigh >= p.Memory {
		b.refuse(firstOf(table, "memory_high"), fmt.Errorf("must be below memory (%s)", formatSize(p.Memory)))
	}
}

// keep checks the restart policy of owner.
func (b *builder) keep(table *node, owner string, k Keep, c *Config) {
	if k.BackoffMin > k.BackoffMax {
		b.refuse(firstOf(table, "backoff_min", "backoff_max"), fmt.Errorf("backoff_min (%v) must not be above backoff_max (%v)", k.BackoffMin, k.BackoffMax))
	}
	if k.Restart == RestartNo {
		b.idle(c, table, owner, `with restart = "no"`, "exit_codes", "backoff_min", "backoff_max", "stable", "start_limit", "start_window")
		return
	}
	if k.StartLimit == 0 {
		b.idle(c, table, owner, "with start_limit = 0", "start_window")
		return
	}
	if wait := k.leastWait(); wait > k.StartWindow {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s: is never given up: with this backoff %d starts take at least %v, more than start_window (%v)",
			owner, k.StartLimit, wait.Round(time.Millisecond), k.StartWindow))
	}
}

// idle warns of keys that were set and mean nothing.
func (b *builder) idle(c *Config, table *node, owner, why string, keys ...string) {
	var set []string
	for _, key := range keys {
		if table.kids[key] != nil {
			set = append(set, key)
		}
	}
	switch {
	case len(set) == 1:
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s: %s has no effect %s", owner, set[0], why))
	case len(set) > 1:
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s: %s have no effect %s", owner, andList(set), why))
	}
}

// andList writes a, b and c.
func andList(names []string) string {
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// programSense refuses combinations of keys that cannot work and warns of those
// that do nothing.
func (b *builder) programSense(table *node, p *Program, c *Config) {
	owner := "program " + p.Name
	if p.Ready.Kind == ProbeNewline && p.Ready.FD < firstFD+len(p.Listen) {
		b.refuse(table.kids["ready"], &reason{text: fmt.Sprintf("descriptor %d is one of its sockets", p.Ready.FD),
			nearest: fmt.Sprintf("newline:%d", firstFD+len(p.Listen))})
	}
	if p.Follow && len(p.Needs) == 0 {
		b.idle(c, table, owner, "without needs", "follow")
	}
	if p.Live.Probe.Kind == ProbeStarted {
		b.idle(c, table, owner, "without live", "live_interval", "live_timeout", "live_failures", "live_grace", "live_action")
	}
	rotation := []string{"log_format", "log_max_size", "log_max_age", "log_keep", "log_compress"}
	switch o := p.Output; {
	case o.To == OutputNone || o.To == OutputStdout:
		b.idle(c, table, owner, fmt.Sprintf("with log = %q", o.To), append([]string{"log_file"}, rotation...)...)
	case o.File == "":
		b.idle(c, table, owner, "without log_file", rotation...)
	}
}

// logFile checks that a log can lie at path.
func (b *builder) logFile(path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	if strings.HasSuffix(path, "/") {
		return "", errors.New("the path must name a file, not a folder")
	}
	path = b.beside(path)
	if _, err := b.folder(filepath.Dir(path)); err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("cannot write to %s: it is not a regular file", cut(path, 200))
	}
	return path, nil
}
