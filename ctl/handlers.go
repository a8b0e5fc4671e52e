package ctl

import (
	"context"
	"math"
	"slices"
	"strings"
)

func (c *call) info() error {
	if _, err := c.query(); err != nil {
		return err
	}
	return c.answer(c.server.master.Info(c.r.Context()))
}

func (c *call) sandboxes() error {
	if _, err := c.query(); err != nil {
		return err
	}
	return c.answer(fullSandboxes(c.server.master.Sandboxes(c.r.Context())))
}

func (c *call) sandbox() error {
	if _, err := c.query(); err != nil {
		return err
	}
	var names []string
	for _, sb := range fullSandboxes(c.server.master.Sandboxes(c.r.Context())) {
		if sb.Name == c.name {
			return c.answer(sb)
		}
		names = append(names, sb.Name)
	}
	return noSuch("sandbox", "sandboxes", c.name, names)
}

// noSuch says that nothing of a kind has the name, and what has one.
func noSuch(kind, kinds, name string, names []string) *Problem {
	p := Problemf(ErrNotFound, "cannot show %s %q: there is no such %s", kind, name, kind)
	if len(names) == 0 {
		return p
	}
	return p.WithHint(kinds + ": " + strings.Join(names, ", "))
}

func (c *call) workers() error {
	q, err := c.query("usage")
	if err != nil {
		return err
	}
	usage, err := flag(q, "usage")
	if err != nil {
		return err
	}
	return c.answer(fullWorkers(c.server.master.Workers(c.r.Context(), usage)))
}

func (c *call) inspect() error {
	if _, err := c.query(); err != nil {
		return err
	}
	in := c.server.master.Inspect(c.r.Context())
	in.Sandboxes, in.Workers, in.Sockets = fullSandboxes(in.Sandboxes), fullWorkers(in.Workers), orEmpty(in.Sockets)
	in.Programs = fullPrograms(in.Programs)
	return c.answer(in)
}

func (c *call) reload() error {
	var req ReloadRequest
	if err := c.body(&req); err != nil {
		return err
	}
	res, err := c.server.master.Reload(c.r.Context(), req)
	if err != nil {
		return err
	}
	return c.answer(res)
}

func (c *call) start() error {
	return act(c, c.server.master.Start, ActionRequest.needNames)
}

func (c *call) stop() error {
	return act(c, c.server.master.Stop, ActionRequest.onlyStop)
}

func (c *call) restart() error {
	return act(c, c.server.master.Restart, ActionRequest.needNames)
}

func (c *call) logLevel() error {
	return act(c, c.server.master.LogLevel, ActionRequest.needLevel)
}

// act reads a request, checks what can be told without the master, and does it.
func act[R any](c *call, do func(context.Context, R) (ActionResult, error), check func(R) error) error {
	var req R
	if err := c.body(&req); err != nil {
		return err
	}
	if err := check(req); err != nil {
		return err
	}
	return c.acted(do(c.r.Context(), req))
}

func (c *call) acted(res ActionResult, err error) error {
	if err != nil {
		return err
	}
	res.Results = orEmpty(res.Results)
	return c.answer(res)
}

func (r ActionRequest) needNames() error {
	switch {
	case len(r.Names) == 0 || slices.Contains(r.Names, ""):
		return Problemf(ErrInvalid, "cannot do that to nothing: names must hold at least one name and no empty one")
	case r.Drain || r.Level != "":
		return Problemf(ErrInvalid, "cannot use drain or level here")
	}
	return nil
}

func (r ActionRequest) onlyStop() error {
	if r.Level != "" || slices.Contains(r.Names, "") {
		return Problemf(ErrInvalid, "cannot stop that: level has no meaning here and no name may be empty")
	}
	return nil
}

func (r ActionRequest) needLevel() error {
	if len(r.Names) == 0 || slices.Contains(r.Names, "") || r.Drain {
		return Problemf(ErrInvalid, "cannot set the log level: names must hold at least one name and no empty one, drain has no meaning")
	}
	if levels := LogLevels(); !slices.Contains(levels, r.Level) {
		return Problemf(ErrInvalid, "cannot set the log level to %q: it must be one of %s", r.Level, strings.Join(levels, ", "))
	}
	return nil
}

// LogLevels are the levels that a sandbox can log at, the most talkative first.
func LogLevels() []string { return []string{"debug", "info", "warn", "error"} }

func (c *call) events() error {
	q, err := c.query("since")
	if err != nil {
		return err
	}
	since, err := number(q, "since", 0, math.MaxUint64)
	if err != nil {
		return err
	}
	return stream(c, func(ctx context.Context, emit func(Event) error) error {
		return c.server.master.Events(ctx, since, emit)
	})
}
