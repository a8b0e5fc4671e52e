package ctl

import (
	"slices"

	"github.com/dserver/dserver/internal/signals"
)

// MaxInstances is how many instances of one program or worker there can be.
const MaxInstances = 1024

func (c *call) programs() error {
	d, err := c.detail()
	if err != nil {
		return err
	}
	return c.answer(fullPrograms(c.server.master.Programs(c.r.Context(), d)))
}

func (c *call) program() error {
	d, err := c.detail()
	if err != nil {
		return err
	}
	d.Name = c.name
	var names []string
	for _, p := range fullPrograms(c.server.master.Programs(c.r.Context(), d)) {
		if p.Name == c.name {
			return c.answer(p)
		}
		names = append(names, p.Name)
	}
	return noSuch("program", "programs", c.name, names)
}

func (c *call) detail() (d Detail, err error) {
	q, err := c.query("usage", "history")
	if err != nil {
		return d, err
	}
	if d.Usage, err = flag(q, "usage"); err != nil {
		return d, err
	}
	d.History, err = flag(q, "history")
	return d, err
}

func (c *call) reset() error {
	return act(c, c.server.master.Reset, ActionRequest.needNames)
}

func (c *call) signal() error {
	return act(c, c.server.master.Signal, SignalRequest.check)
}

func (r SignalRequest) check() error {
	if len(r.Names) == 0 || slices.Contains(r.Names, "") {
		return Problemf(ErrInvalid, "cannot signal nothing: names must hold at least one name and no empty one")
	}
	if _, err := signals.Parse(r.Signal); err != nil {
		return Problemf(ErrInvalid, "%v", err)
	}
	return nil
}

// scale takes the number through a pointer: left out it must not mean none.
func (c *call) scale() error {
	type body struct {
		Name      string `json:"name"`
		Instances *int   `json:"instances"`
	}
	var b body
	if err := c.body(&b); err != nil {
		return err
	}
	if b.Name == "" || b.Instances == nil {
		return Problemf(ErrInvalid, "cannot scale that: name and instances must be given")
	}
	if n := *b.Instances; n < 0 || n > MaxInstances {
		return Problemf(ErrInvalid, "cannot scale %s to %d instances: it must be a number from 0 to %d", b.Name, n, MaxInstances)
	}
	return c.acted(c.server.master.Scale(c.r.Context(), ScaleRequest{Name: b.Name, Instances: *b.Instances}))
}

func (c *call) upgrade() error {
	var req UpgradeRequest
	if err := c.body(&req); err != nil {
		return err
	}
	switch {
	case req.ID < 0 || req.Resume < 0:
		return Problemf(ErrInvalid, "cannot upgrade: id and resume must not be negative")
	case req.Resume > 0 && (req.ID > 0 || req.Binary != ""):
		return Problemf(ErrInvalid, "cannot upgrade: resume asks for an outcome, it stands alone")
	}
	res, err := c.server.master.Upgrade(c.r.Context(), req)
	if err != nil {
		return err
	}
	return c.answer(res)
}
