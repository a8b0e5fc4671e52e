package cli

import (
	"context"
	"errors"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

const logLines = 50 // to begin with

func (s *shell) logsVerb() *cobra.Command {
	var q ctl.LogQuery
	var output *format
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Print the log of the instance, or of one sandbox or worker",
		Long: `Print the log of the instance, or what one sandbox, worker or the master wrote.
With -f it goes on until you leave, also over reloads.`,
		GroupID:           groupLook,
		ValidArgsFunction: s.sandboxNames(1),
		Args: func(cmd *cobra.Command, args []string) error {
			if q.Lines < 0 || q.Lines > ctl.MaxLogLines {
				return usagef(cmd, "--lines cannot be %d: it must be from 0 to %d", q.Lines, ctl.MaxLogLines)
			}
			return arguments(0, 1, "at most one name")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.Name = args[0]
			}
			return s.watch(cmd.Context(), "read the log", func(ctx context.Context, t target) error {
				return t.Logs(ctx, q, func(l ctl.LogLine) error { return s.logLine(l, *output) })
			})
		},
	}
	cmd.Flags().BoolVarP(&q.Follow, "follow", "f", false, "go on with new lines")
	cmd.Flags().IntVarP(&q.Lines, "lines", "n", logLines, "how many of the newest lines to begin with")
	output = addOutput(cmd)
	return cmd
}

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

func (s *shell) logLine(l ctl.LogLine, f format) error {
	if f == formatJSON {
		return s.out.jsonLine(l)
	}
	p, stream := s.out, dim
	if l.Stream == "err" {
		stream = yellow
	}
	return p.write(p.paint(dim, p.stamp(l.Time)) + " " + p.paint(bold, orDash(l.Name)) + " " + p.paint(stream, orDash(l.Stream)) + " " + l.Text)
}

func (s *shell) event(e ctl.Event, f format) error {
	if f == formatJSON {
		return s.out.jsonLine(e)
	}
	p := s.out
	return p.write(p.paint(dim, p.stamp(e.Time)) + " " + p.paint(cyan, e.Kind) + " " + p.paint(bold, orDash(e.Name)) + " " + e.Text)
}
