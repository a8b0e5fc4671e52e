package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

func (s *shell) scaleVerb() *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "scale NAME=NUMBER...",
		Short: "Change how many instances of a program or a worker run",
		Long: `Start or stop instances of programs, and in multi mode of workers, until each has
as many as asked for. It returns when the new ones are ready and the others have
ended. The number stays, over reloads and restarts of the instance too, until
somebody asks for another one, or the configuration says another one than it said
then. With 0 no instance of a program runs; a worker has at least one.`,
		Example: "  " + s.app.Name + " scale jobs=4 mail=1",
		GroupID: groupRun,
		Args: func(cmd *cobra.Command, args []string) error {
			_, err := scaleRequests(cmd, args)
			return err
		},
		ValidArgsFunction: s.scaleCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, err := scaleRequests(cmd, args)
			if err != nil {
				return err
			}
			return s.on(cmd.Context(), "scale "+strings.Join(args, " "), func(t target) error {
				ctx, cancel := f.bounded(cmd.Context())
				defer cancel()
				return s.scale(ctx, t, wanted, *f.output)
			})
		},
	}
	f = addActFlags(cmd)
	return cmd
}

// scaleRequests reads NAME=NUMBER, each name once.
func scaleRequests(cmd *cobra.Command, args []string) ([]ctl.ScaleRequest, error) {
	if err := arguments(1, -1, "at least one NAME=NUMBER")(cmd, args); err != nil {
		return nil, err
	}
	var list []ctl.ScaleRequest
	for _, arg := range args {
		name, number, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usagef(cmd, "%q is not NAME=NUMBER, such as jobs=4", arg)
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n > ctl.MaxInstances {
			return nil, usagef(cmd, "%s cannot have %q instances: it must be a number from 0 to %d", name, number, ctl.MaxInstances)
		}
		if slices.ContainsFunc(list, func(r ctl.ScaleRequest) bool { return r.Name == name }) {
			return nil, usagef(cmd, "%s is there twice", name)
		}
		list = append(list, ctl.ScaleRequest{Name: name, Instances: n})
	}
	return list, nil
}

// scale asks for one program or worker after the other. An unknown name keeps it from
// beginning; what fails for one does not keep the others from it.
func (s *shell) scale(ctx context.Context, t target, wanted []ctl.ScaleRequest, f format) error {
	if len(wanted) > 1 {
		if err := s.allPrograms(ctx, t, wanted); err != nil {
			return err
		}
	}
	var all ctl.ActionResult
	instances := map[string]int{}
	for _, r := range wanted {
		instances[r.Name] = r.Instances
		res, err := t.Scale(ctx, r)
		if err != nil && len(wanted) == 1 {
			return s.failed(t, err, "scale %s", r.Name)
		}
		if err != nil {
			res.Results = []ctl.Action{{Name: r.Name, Error: causeOf(err).Error()}}
		}
		all.Results = append(all.Results, res.Results...)
		all.Cut = append(all.Cut, res.Cut...)
	}
	return s.acted("scale", all, f, func(a ctl.Action) string {
		return fmt.Sprintf(" has %s and is %s", count(instances[a.Name], "instance"), s.out.paint(stateStyle(a.State), a.State))
	})
}

// allPrograms makes sure that every name is one of a program, or of a worker.
func (s *shell) allPrograms(ctx context.Context, t target, wanted []ctl.ScaleRequest) error {
	programs, err := known(ctx, t, kindProgram)
	if err != nil {
		return s.failed(t, err, "scale")
	}
	workers, err := t.Workers(ctx, false)
	if err != nil {
		return s.failed(t, err, "scale")
	}
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	for _, w := range workers {
		if !slices.Contains(names, w.Name) {
			names = append(names, w.Name)
		}
	}
	for _, r := range wanted {
		if !slices.Contains(names, r.Name) {
			hint := "there are: " + strings.Join(names, ", ")
			return failed(ctl.Problemf(ctl.ErrNotFound, "there is no program and no worker %q%s", r.Name, didYouMean(r.Name, names, "")).WithHint(hint), "scale %s", r.Name)
		}
	}
	return nil
}

func (s *shell) scaleCompletions(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	used := make([]string, len(args))
	for i, arg := range args {
		used[i], _, _ = strings.Cut(arg, "=")
	}
	var list []cobra.Completion
	for _, n := range s.completable(cmd.Context(), used, kindProgram) {
		list = append(list, cobra.CompletionWithDesc(n.name+"=", n.state))
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
