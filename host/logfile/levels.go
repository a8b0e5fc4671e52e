package logfile

import (
	"log/slog"
	"sync"
)

// Levels holds a log level for each name; they can be changed while loggers use
// them. Make one with [NewLevels].
type Levels struct {
	mu      sync.Mutex
	initial slog.Level
	vars    map[string]*slog.LevelVar
}

// NewLevels returns Levels in which every name begins with the given level.
func NewLevels(initial slog.Level) *Levels {
	return &Levels{initial: initial, vars: make(map[string]*slog.LevelVar)}
}

// Of gives the level of a name, always the same value for one name.
func (l *Levels) Of(name string) *slog.LevelVar {
	l.mu.Lock()
	defer l.mu.Unlock()
	level, ok := l.vars[name]
	if !ok {
		level = new(slog.LevelVar)
		level.Set(l.initial)
		l.vars[name] = level
	}
	return level
}
