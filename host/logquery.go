package host

import (
	"context"
	"slices"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/logfile"
)

// Logs implements ctl.Watcher.
func (m *master) Logs(ctx context.Context, q ctl.LogQuery, emit func(ctl.LogLine) error) error {
	c := m.currentPlan().config
	if err := m.logs.loggers(c, q.Names); err != nil {
		return err
	}
	match, err := q.Pattern()
	if err != nil {
		return ctl.Problemf(ctl.ErrInvalid, "cannot search the log: %v", err)
	}
	readers, err := m.logs.readers(c, q.Names)
	if err != nil {
		return err
	}
	search := logfile.Query{
		Names: q.Names, Stream: q.Stream, Since: q.Since, Until: q.Until, Match: match,
		Lines: q.Lines, After: q.After, Follow: q.Follow,
	}
	return logfile.Search(ctx, readers, search, func(l logfile.Line) error {
		return emit(ctl.LogLine{
			Log: l.Log, Offset: l.Offset, Time: l.Time, Name: l.Name, Instance: l.Instance, Generation: l.Generation,
			Stream: l.Stream, Text: l.Text,
		})
	})
}

// loggers makes sure that there is somebody of each name whose output is kept.
func (l *logs) loggers(c *config.Config, names []string) error {
	known := []string{logfile.Master}
	for _, b := range c.Sandboxes {
		known = append(known, b.Name)
	}
	for _, w := range c.Workers {
		known = append(known, w.Name)
	}
	for _, p := range c.Programs {
		known = append(known, p.Name)
	}
	slices.Sort(known[1:])
	known = slices.Compact(known)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return ctl.Problemf(ctl.ErrNotFound, "there is no %q that logs; there are: %s", name, joinNames(known))
		}
		if p, ok := c.Program(name); ok && !l.outputOf(&p).Log {
			return ctl.Problemf(ctl.ErrNotFound, "the output of %s is not kept: its log is %q", name, p.Output.To)
		}
	}
	return nil
}

// readers gives those of the logs in which lines of some names are, or of all. That
// of the instance is left out where it has none: it may be long.
func (l *logs) readers(c *config.Config, names []string) ([]*logfile.Reader, error) {
	var readers []*logfile.Reader
	all := len(names) == 0
	others := slices.Clone(names) // who log to the log of the instance
	for _, p := range c.Programs {
		own, ok := ownLog(&p)
		if !ok || !all && !slices.Contains(names, p.Name) {
			continue
		}
		r, err := l.shelf.Load().Reader(own, p.Name)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
		others = slices.DeleteFunc(others, func(name string) bool { return name == p.Name })
	}
	if all || len(others) > 0 {
		readers = append([]*logfile.Reader{l.writer.Load().Reader()}, readers...)
	}
	return readers, nil
}
