package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

type reloadFlags struct {
	binary  string
	dryRun  bool
	timeout *limit
	output  *format
}

func (s *shell) reloadVerb() *cobra.Command {
	var f reloadFlags
	cmd := &cobra.Command{
		Use:   "reload [NAME...]",
		Short: "Bring new code and configuration without losing a request",
		Long: `Bring new code and configuration to the processes that hold the named sandboxes,
to the named programs, or to all. The new ones have to be ready, and to stay so for
a moment, before the old ones let go; otherwise the old ones go on as if nothing
had happened. A program is replaced, restarted, sent a signal or left alone, as its
reload key says; without its name it is left alone unless it has changed.`,
		GroupID:           groupRun,
		Args:              arguments(0, -1, "names"),
		ValidArgsFunction: s.names(0, kindSandbox, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.on(cmd.Context(), strings.TrimSpace("reload "+strings.Join(args, ", ")), func(t target) error {
				return s.reload(cmd.Context(), t, args, f)
			})
		},
	}
	cmd.Flags().StringVar(&f.binary, "binary", "", "the new build (default: what now lies where the instance was started from)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would change")
	f.timeout = addTimeout(cmd, 0, "how long to wait; the reload goes on after it; 0 means no limit")
	f.output = addOutput(cmd)
	return cmd
}

func (s *shell) reload(ctx context.Context, t target, names []string, f reloadFlags) error {
	ctx, cancel := bounded(ctx, time.Duration(*f.timeout))
	defer cancel()
	what := strings.Join(names, ", ")
	if what == "" {
		what = t.Name
	}
	binary, err := s.newBuild(ctx, t, f.binary)
	if err != nil {
		return s.failed(t, err, "reload %s", what)
	}
	res, err := t.Reload(ctx, ctl.ReloadRequest{Names: names, Binary: binary, DryRun: f.dryRun})
	if errors.Is(err, ctl.ErrTimeout) {
		return &verbError{doing: "wait for the reload of " + what, text: "timed out", err: err,
			hint: fmt.Sprintf("the reload goes on: see %q or %q", s.app.Name+" status", s.app.Name+" events")}
	}
	if err != nil {
		return s.failed(t, err, "reload %s", what)
	}
	return s.reloaded(what, res, *f.output)
}

// newBuild decides which executable to reload from: the chosen one; none, which
// means the path the master was started from; or this one, if there is nothing
// sensible at that path and this is the same program.
func (s *shell) newBuild(ctx context.Context, t target, chosen string) (string, error) {
	if chosen != "" {
		return executable(chosen)
	}
	ask, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	info, err := t.Info(ask)
	if err != nil {
		return "", err
	}
	old, fate := info.Build, "is gone"
	if _, err := os.Stat(old.Path); err == nil {
		if !inBuildCache(old.Path) {
			return "", nil
		}
		fate = "was made by go run for that one start"
	}
	own, err := s.host.Build()
	if err == nil && own.Module == old.Module && own.Path != "" {
		return own.Path, nil
	}
	return "", ctl.Problemf(ctl.ErrNotFound, "cannot find a new build: %s, from which the instance was started, %s", old.Path, fate).
		WithHint("say which build to take with --binary PATH")
}

// inBuildCache tells whether go run or go test put a file there: it is gone
// soon, or stays as it is for ever.
func inBuildCache(path string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		number, ok := strings.CutPrefix(part, "go-build")
		if ok && strings.Trim(number, "0123456789") == "" {
			return true
		}
	}
	return false
}

// executable makes a path absolute, for the master has a working directory of
// its own, and refuses what cannot be run.
func executable(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("cannot use --binary: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot use --binary: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("cannot use --binary: %s is not an executable file", path)
	}
	return path, nil
}

// reloaded prints how a reload went.
func (s *shell) reloaded(what string, res ctl.ReloadResult, f format) error {
	p := s.out
	done := (res.Outcome == "committed" || res.Outcome == "planned") && res.Error == ""
	switch {
	case f == formatJSON:
		if err := p.json(res); err != nil {
			return failed(err, "print the result")
		}
	case res.Outcome == "planned":
		s.planned(what, res)
	case done:
		p.line(p.paint(bold, what), " is ", p.paint(green, "reloaded"), ": build ", short(res.Build.ID),
			", ready after ", span(res.Ready), ", committed after ", span(res.Took))
	}
	if f == formatTable {
		s.remarks(res)
	}
	if done {
		return nil
	}
	if res.Outcome == "committed" {
		return failed(&Failure{Cause: errors.New(res.Error), Output: res.Output}, "reload all of %s", what)
	}
	return failed(notTaken(res.Outcome, res.Error, res.Output), "reload %s", what)
}

// notTaken says why a new build does not run.
func notTaken(outcome, why string, output []string) *Failure {
	if why == "" {
		why = "the new build did not take over"
	}
	return &Failure{Cause: errors.New(strings.ReplaceAll(outcome, "_", " ") + ": " + why), Output: output}
}

func (s *shell) planned(what string, res ctl.ReloadResult) {
	if len(res.Plan) == 0 {
		s.out.line(what, ": nothing would change")
	}
	for _, line := range res.Plan {
		s.out.line(line)
	}
}

func (s *shell) remarks(res ctl.ReloadResult) {
	if res.Superseded {
		s.out.line("this is the result of the later reload ", fmt.Sprint(res.ID), ", which took this one's place")
	}
	for _, r := range res.Remarks {
		s.out.line("note: ", r)
	}
}
