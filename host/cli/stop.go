package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

func (s *shell) stopVerb() *cobra.Command {
	return s.endVerb("stop", false, &cobra.Command{
		Use:   "stop [NAME...]",
		Short: "Stop the instance, or some of its sandboxes and programs",
		Long: `Stop the instance, or the named sandboxes and programs alone; these stay stopped
until somebody starts them. What runs may finish within the stop time limit
(stop_timeout, or a program's own stop); what was cut is named. Without names stop
returns when the process has gone.`,
	})
}

func (s *shell) quitVerb() *cobra.Command {
	return s.endVerb("quit", true, &cobra.Command{
		Use:   "quit [NAME...]",
		Short: "Stop, but leave time to finish: the drain time limit",
		Long: `Stop the instance, or the named sandboxes and programs alone, and leave them the
drain time limit (drain_timeout) to finish instead of the stop time limit.`,
	})
}

func (s *shell) endVerb(verb string, drain bool, cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = groupRun
	cmd.Args = arguments(0, -1, "names")
	cmd.ValidArgsFunction = s.names(0, kindSandbox, kindProgram)
	f := addActFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		doing := strings.TrimSpace(verb + " " + strings.Join(args, ", "))
		return unhinted(s.on(cmd.Context(), doing, func(t target) error {
			r := ctl.ActionRequest{Names: args, Drain: drain}
			if len(args) > 0 {
				return s.act(cmd.Context(), t, verb, t.Stop, r, f)
			}
			return s.stopAll(cmd.Context(), t, verb, r, f)
		}))
	}
	return cmd
}

// unhinted is for those who want it stopped: they need not know how to start it.
func unhinted(err error) error {
	if own, ok := errors.AsType[*verbError](err); ok && errors.Is(err, ctl.ErrNotRunning) {
		own.hint = ""
	}
	return err
}

// stopAll stops the master and waits until its process has gone.
func (s *shell) stopAll(ctx context.Context, t target, verb string, r ctl.ActionRequest, f actFlags) error {
	ctx, cancel := bounded(ctx, time.Duration(*f.timeout))
	defer cancel()
	res, err := t.Stop(ctx, r)
	switch {
	case err == nil, errors.Is(err, ctl.ErrLost): // it may have gone before it could say so
		err = s.host.Gone(ctx, t.Instance)
	case errors.Is(err, ctl.ErrNotRunning) && t.Pid != 0:
		err = s.waitForLast(ctx, t, err)
	}
	if err != nil {
		return s.failed(t, late(ctx, err), "%s %s", verb, t.Name)
	}
	if *f.output == formatJSON {
		return failed(s.out.json(res), "print the result")
	}
	s.out.line(s.out.paint(bold, t.Name), " has stopped")
	s.cut(res.Cut)
	return nil
}

// waitForLast is for a master that closed its control socket and is about to
// go. One that stays gets the error that it gave.
func (s *shell) waitForLast(ctx context.Context, t target, unanswered error) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	if s.host.Gone(ctx, t.Instance) != nil {
		return unanswered
	}
	return nil
}

// late makes the end of a time limit look the same whoever noticed it.
func late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.Is(err, ctl.ErrTimeout) {
		return fmt.Errorf("%w: it goes on without you", ctl.ErrTimeout)
	}
	return err
}
