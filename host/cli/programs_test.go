package cli_test

import (
	"context"

	"github.com/dserver/dserver/ctl"
)

func (m *master) Programs(context.Context, ctl.Detail) []ctl.Program { return nil }

func (m *master) Signal(_ context.Context, r ctl.SignalRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, ctl.Problemf(ctl.ErrNotFound, "there is no program %q", r.Names[0])
}

func (m *master) Scale(_ context.Context, r ctl.ScaleRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, ctl.Problemf(ctl.ErrNotFound, "there is no program %q", r.Name)
}

func (m *master) Reset(_ context.Context, r ctl.ActionRequest) (ctl.ActionResult, error) {
	return ctl.ActionResult{}, ctl.Problemf(ctl.ErrNotFound, "there is no program %q", r.Names[0])
}

func (m *master) Upgrade(_ context.Context, r ctl.UpgradeRequest) (ctl.UpgradeResult, error) {
	return ctl.UpgradeResult{}, ctl.Problemf(ctl.ErrRefused, "this master cannot be upgraded in place yet")
}
