package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

// actFlags are the flags of the verbs that act on something.
type actFlags struct {
	timeout *limit
	output  *format
}

func addActFlags(cmd *cobra.Command) actFlags {
	return actFlags{addTimeout(cmd, 0, "how long to wait; the work goes on after it; 0 means no limit"), addOutput(cmd)}
}

// bounded limits how long the verb waits.
func (f actFlags) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return bounded(ctx, time.Duration(*f.timeout))
}

type action func(context.Context, ctl.ActionRequest) (ctl.ActionResult, error)

// act does one action and prints what it did.
func (s *shell) act(ctx context.Context, t target, verb string, do action, r ctl.ActionRequest, f actFlags) error {
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	res, err := do(ctx, r)
	if err != nil {
		return s.failed(t, err, "%s %s", verb, strings.Join(r.Names, ", "))
	}
	return s.acted(verb, res, *f.output, func(a ctl.Action) string { return " is " + s.out.paint(stateStyle(a.State), a.State) })
}

// acted prints an action's result, with what say says of each name; an error in
// it is a failure of the verb.
func (s *shell) acted(verb string, res ctl.ActionResult, f format, say func(ctl.Action) string) error {
	if f == formatJSON {
		if err := s.out.json(res); err != nil {
			return failed(err, "print the result")
		}
	}
	var bad []ctl.Action
	for _, a := range res.Results {
		if a.Error != "" {
			bad = append(bad, a)
		} else if f == formatTable {
			s.out.line(s.out.paint(bold, a.Name), say(a))
		}
	}
	if f == formatTable {
		s.cut(res.Cut)
	}
	if len(bad) == 1 {
		return failed(errors.New(bad[0].Error), "%s %s", verb, bad[0].Name)
	}
	var errs []error
	for _, a := range bad {
		errs = append(errs, errors.New(a.Name+": "+a.Error))
	}
	return failed(errors.Join(errs...), "%s all of them", verb)
}

// cut tells what did not end by itself.
func (s *shell) cut(what []string) {
	for _, c := range what {
		s.out.line(s.out.paint(yellow, "cut: "), c)
	}
}

func (s *shell) restartVerb() *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "restart NAME...",
		Short: "Restart sandboxes in the code that runs, or programs",
		Long: `Restart sandboxes in the code that runs, or programs with the configuration that
they have. The instances of a program go one after the other; each has to be ready
before the next. Sockets stay open. For new code or configuration use reload.`,
		GroupID:           groupRun,
		Args:              arguments(1, -1, "at least one name"),
		ValidArgsFunction: s.names(0, kindSandbox, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.on(cmd.Context(), "restart "+strings.Join(args, ", "), func(t target) error {
				return s.act(cmd.Context(), t, "restart", t.Restart, ctl.ActionRequest{Names: args}, f)
			})
		},
	}
	f = addActFlags(cmd)
	return cmd
}

func (s *shell) resetVerb() *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "reset NAME...",
		Short: "Start programs and workers again that were given up",
		Long: `Start programs again that were given up (state fatal), and forget how often they
were restarted before. One that runs only forgets that. In multi mode it does the same
for workers.`,
		GroupID:           groupRun,
		Args:              arguments(1, -1, "at least one name"),
		ValidArgsFunction: s.names(0, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.on(cmd.Context(), "reset "+strings.Join(args, ", "), func(t target) error {
				return s.act(cmd.Context(), t, "reset", t.Reset, ctl.ActionRequest{Names: args}, f)
			})
		},
	}
	f = addActFlags(cmd)
	return cmd
}

func (s *shell) logLevelVerb() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:     "loglevel NAME LEVEL",
		Short:   "Set the log level of a sandbox, until the master ends",
		GroupID: groupRun,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments(2, 2, "a name and a level")(cmd, args); err != nil {
				return err
			}
			if levels := ctl.LogLevels(); !slices.Contains(levels, args[1]) {
				return usagef(cmd, "there is no level %q: it must be one of %s", args[1], strings.Join(levels, ", "))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return ctl.LogLevels(), cobra.ShellCompDirectiveNoFileComp
			}
			return s.names(1, kindSandbox)(cmd, args, part)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.on(cmd.Context(), "set the log level of "+args[0], func(t target) error {
				ctx, cancel := context.WithTimeout(cmd.Context(), askTime)
				defer cancel()
				res, err := t.LogLevel(ctx, ctl.ActionRequest{Names: args[:1], Level: args[1]})
				if err != nil {
					return s.failed(t, err, "set the log level of %s", args[0])
				}
				return s.acted("set the log level of", res, *output, func(ctl.Action) string { return " logs at " + args[1] })
			})
		},
	}
	output = addOutput(cmd)
	return cmd
}

// on finds the instance and does something there.
func (s *shell) on(ctx context.Context, doing string, do func(target) error) error {
	t, err := s.find(ctx, doing)
	if err != nil {
		return err
	}
	return do(t)
}
