package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

// kind is a kind of what has a name.
type kind int

const (
	kindSandbox kind = iota
	kindProgram
)

// named is a name with the state of what has it.
type named struct {
	name, state string
}

// known lists the names of some kinds, in the order of the master.
func known(ctx context.Context, t target, kinds ...kind) (list []named, err error) {
	if slices.Contains(kinds, kindSandbox) {
		boxes, err := t.Sandboxes(ctx)
		if err != nil {
			return nil, err
		}
		for _, sb := range boxes {
			list = append(list, named{sb.Name, sb.State})
		}
	}
	if slices.Contains(kinds, kindProgram) {
		programs, err := programsOf(ctx, t, ctl.Detail{})
		if err != nil {
			return nil, err
		}
		for _, p := range programs {
			list = append(list, named{p.Name, p.State})
		}
	}
	return list, nil
}

// thing is what a name stands for: one of both is there.
type thing struct {
	sandbox *ctl.Sandbox
	program *ctl.Program
}

// lookUp finds what has a name.
func (s *shell) lookUp(ctx context.Context, t target, name string, d ctl.Detail) (thing, error) {
	sb, err := t.Sandbox(ctx, name)
	if err == nil {
		return thing{sandbox: &sb}, nil
	}
	if !errors.Is(err, ctl.ErrNotFound) {
		return thing{}, err
	}
	p, err := t.Program(ctx, name, d)
	switch {
	case err == nil:
		return thing{program: &p}, nil
	case !errors.Is(err, ctl.ErrNotFound) && !errors.Is(err, ctl.ErrTooOld):
		return thing{}, err
	}
	list, err := known(ctx, t, kindSandbox, kindProgram)
	if err != nil {
		return thing{}, err
	}
	return thing{}, nobody(name, list)
}

// nobody says that nothing has a name, and what has one.
func nobody(name string, list []named) error {
	var names []string
	for _, n := range list {
		names = append(names, n.name)
	}
	hint := "there are: " + strings.Join(names, ", ")
	if len(names) == 0 {
		hint = "the instance has no sandboxes and no programs"
	}
	return ctl.Problemf(ctl.ErrNotFound, "there is no sandbox and no program %q%s", name, didYouMean(name, names, "")).WithHint(hint)
}

// names completes the names of some kinds: arguments from the first to the
// limit-th (0: all).
func (s *shell) names(limit int, kinds ...kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if limit > 0 && len(args) >= limit {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var list []cobra.Completion
		for _, n := range s.completable(cmd.Context(), args, kinds...) {
			list = append(list, cobra.CompletionWithDesc(n.name, n.state))
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// completable lists the names that are not there yet. What fails gives none: a
// completion has nowhere to say why.
func (s *shell) completable(ctx context.Context, without []string, kinds ...kind) (list []named) {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	if err := s.enter(nil, nil); err != nil {
		return nil
	}
	t, err := s.find(ctx, "complete")
	if err != nil {
		return nil
	}
	all, err := known(ctx, t, kinds...)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(n named) bool { return slices.Contains(without, n.name) })
}
