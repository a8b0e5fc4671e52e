package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

type upgradeFlags struct {
	binary string
	act    actFlags
}

func (s *shell) upgradeVerb() *cobra.Command {
	var f upgradeFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Put another build in the place of the master, and nothing else",
		Long: `Put another build in the place of the running master. Programs and workers, their
output and their requests go on; in multi mode the master keeps its pid as well.
The new build is asked first whether it can go on from here. Where it cannot, the
old one stays and this says why. To bring new code to the workers too use reload.`,
		GroupID:           groupRun,
		Args:              arguments(0, 0, "no arguments"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.on(cmd.Context(), "upgrade", func(t target) error {
				return s.upgrade(cmd.Context(), t, f)
			})
		},
	}
	cmd.Flags().StringVar(&f.binary, "binary", "", "the new build (default: what now lies where the instance was started from)")
	f.act = addActFlags(cmd)
	return cmd
}

func (s *shell) upgrade(ctx context.Context, t target, f upgradeFlags) error {
	ctx, cancel := f.act.bounded(ctx)
	defer cancel()
	binary, err := s.newBuild(ctx, t, f.binary)
	if err != nil {
		return s.failed(t, err, "upgrade %s", t.Name)
	}
	res, err := t.Upgrade(ctx, ctl.UpgradeRequest{Binary: binary})
	switch {
	case errors.Is(err, ctl.ErrTimeout):
		return &verbError{doing: "wait for the upgrade of " + t.Name, text: "timed out", err: err,
			hint: "the upgrade goes on: see " + strconv.Quote(s.app.Name+" status")}
	case errors.Is(err, ctl.ErrNotRunning):
		return &verbError{doing: "upgrade " + t.Name, text: "the master has ended meanwhile", err: err,
			hint: s.startHint() + " again; its log is " + t.Log}
	case errors.Is(err, ctl.ErrLost):
		return &verbError{doing: "upgrade " + t.Name, text: "its outcome is not known: " + causeOf(err).Error(), err: err,
			hint: "which build runs says " + strconv.Quote(s.app.Name+" status")}
	case err != nil:
		return s.failed(t, err, "upgrade %s", t.Name)
	}
	return s.upgraded(t, res, *f.act.output)
}

// upgraded prints how an upgrade went.
func (s *shell) upgraded(t target, res ctl.UpgradeResult, f format) error {
	p := s.out
	done := res.Outcome == "committed"
	switch {
	case f == formatJSON:
		if err := p.json(res); err != nil {
			return failed(err, "print the result")
		}
	case done:
		p.line(p.paint(bold, t.Name), " is ", p.paint(green, "upgraded"), ": build ", short(res.Build.ID),
			", pid ", strconv.Itoa(res.Pid), ", away for ", fine(res.Gap))
	}
	if done {
		return nil
	}
	return failed(notTaken(res.Outcome, res.Error, res.Output), "upgrade %s", t.Name)
}

// fine is a short duration, with a digit behind the point below 10 ms.
func fine(d time.Duration) string {
	if d < 10*time.Millisecond {
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + "ms"
	}
	return span(d)
}
