package cli

import (
	"context"
	"errors"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

func (s *shell) eventsVerb() *cobra.Command {
	var since uint64
	var output *format
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Print what has happened, and go on until you leave",
		GroupID: groupLook,
		Args:    arguments(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.watch(cmd.Context(), "follow the events", func(ctx context.Context, t target) error {
				return t.Events(ctx, since, func(e ctl.Event) error { return s.event(e, *output) })
			})
		},
	}
	cmd.Flags().Uint64Var(&since, "since", 0, "begin after the event with this number")
	output = addOutput(cmd)
	return cmd
}

// watch follows something until the caller leaves, which is no failure.
func (s *shell) watch(ctx context.Context, doing string, follow func(context.Context, target) error) error {
	return s.on(ctx, doing, func(t target) error {
		err := follow(ctx, t)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
		if errors.Is(err, ctl.ErrNotRunning) && t.Pid != 0 && s.waitForLast(ctx, t, err) == nil {
			t.Pid = 0 // it ended while it was followed
		}
		return s.failed(t, err, "%s of %s", doing, t.Name)
	})
}

func (s *shell) event(e ctl.Event, f format) error {
	if f == formatJSON {
		return s.out.jsonLine(e)
	}
	p := s.out
	return p.write(p.paint(dim, p.stamp(e.Time)) + " " + p.paint(cyan, e.Kind) + " " + p.paint(bold, orDash(e.Name)) + " " + e.Text)
}
