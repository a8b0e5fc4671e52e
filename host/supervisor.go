package host

import (
	"context"

	"github.com/dserver/dserver/ctl"
)

// Programs implements ctl.Supervisor.
func (m *master) Programs(context.Context, ctl.Detail) []ctl.Program { return nil }

// Signal implements ctl.Supervisor.
func (m *master) Signal(_ context.Context, r ctl.SignalRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, noProgram(r.Names[0])
}

// Scale implements ctl.Supervisor.
func (m *master) Scale(_ context.Context, r ctl.ScaleRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, noProgram(r.Name)
}

// Reset implements ctl.Supervisor.
func (m *master) Reset(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, noProgram(r.Names[0])
}

func noProgram(name string) error {
	return ctl.Problemf(ctl.ErrNotFound, "there is no program %q", name)
}
