package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

const startTime = 60 * time.Second // for all to be ready

type startFlags struct {
	mode    choice
	daemon  bool
	demo    bool
	timeout *limit
	output  *format
}

func (s *shell) startVerb() *cobra.Command {
	f := startFlags{mode: choice{words: []string{"single", "multi"}}}
	cmd := &cobra.Command{
		Use:   "start [NAME...]",
		Short: "Start the instance, or sandboxes and programs in one that runs",
		Long: `Start the instance and keep it in the foreground, or with -d in the background:
then start returns when all is ready, or with what failed and its last lines.

With names only those sandboxes and programs start; where the instance runs
already they are started there, and start returns when they are ready.`,
		GroupID:           groupRun,
		Args:              arguments(0, -1, "names"),
		ValidArgsFunction: s.names(0, kindSandbox, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.start(cmd.Context(), args, f)
		},
	}
	cmd.Flags().BoolVarP(&f.daemon, "daemon", "d", false, "run in the background")
	cmd.Flags().Var(&f.mode, "mode", "all in one process, or in workers (default: as configured)")
	complete(cmd, "mode", f.mode.words...)
	if s.app.Demo {
		cmd.Flags().BoolVar(&f.demo, "demo", false, "run the demo that is built in")
	}
	f.timeout = addTimeout(cmd, startTime, "for all to be ready; 0 means no limit")
	f.output = addOutput(cmd)
	return cmd
}

func (s *shell) start(ctx context.Context, names []string, f startFlags) error {
	if len(names) > 0 && !f.demo {
		t, running, err := s.running(ctx)
		if err != nil {
			return failed(err, "start %s", strings.Join(names, ", "))
		}
		if running {
			return s.startIn(ctx, t, names, f)
		}
	}
	o := StartOptions{
		Global: s.global, Names: names, Mode: f.mode.value, Demo: f.demo,
		Timeout: time.Duration(*f.timeout), Out: s.out.w, Err: s.err.w,
		Ready: func(st Started) { s.started(st, f) },
	}
	if !f.daemon {
		return s.startFailed(ctx, o, s.host.Start(ctx, o))
	}
	o.Ready = nil
	st, err := s.host.Daemon(ctx, o)
	if err != nil {
		return s.startFailed(ctx, o, err)
	}
	s.started(st, f)
	return nil
}

// startFailed adds the instance to an error, if the configuration is good enough
// to tell its name.
func (s *shell) startFailed(ctx context.Context, o StartOptions, err error) error {
	if err == nil {
		return nil
	}
	name := s.app.Name
	if m, checkErr := s.host.Check(ctx, o); checkErr == nil {
		name = m.Name
	}
	return failed(err, "start %s", name)
}

// running tells whether the instance that is meant runs.
func (s *shell) running(ctx context.Context) (target, bool, error) {
	in, err := s.host.Locate(ctx, s.global)
	if errors.Is(err, ctl.ErrNotRunning) {
		return target{}, false, nil
	}
	if err != nil {
		return target{}, false, err
	}
	t := target{Instance: in, Client: ctl.New(in.Socket)}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err = t.Info(ctx)
	if errors.Is(err, ctl.ErrNotRunning) {
		return t, false, nil
	}
	return t, err == nil, err
}

// startIn starts sandboxes and programs of an instance that runs.
func (s *shell) startIn(ctx context.Context, t target, names []string, f startFlags) error {
	if f.mode.value != "" || f.daemon {
		return &verbError{doing: "start " + strings.Join(names, ", "),
			text: t.Name + " runs already, --mode and --daemon are for one that does not", err: ctl.ErrConflict}
	}
	return s.act(ctx, t, "start", t.Start, ctl.ActionRequest{Names: names}, actFlags{f.timeout, f.output})
}

// started prints an instance that is ready.
func (s *shell) started(st Started, f startFlags) {
	if *f.output == formatJSON {
		s.out.json(st) // a reader that has gone does not stop the start
		return
	}
	p, in := s.out, st.Info
	p.line(p.paint(bold, in.Name), " is ", p.paint(green, "ready"), " after ", span(st.Ready), ": ", in.Mode, " mode, pid ", strconv.Itoa(in.Pid))
	t := &table{head: []string{"SANDBOX", "WORKER", "LISTEN"}}
	for _, sb := range st.Sandboxes {
		t.add(cell{text: sb.Name}, cell{text: orDash(sb.Worker)}, cell{orDash(strings.Join(sb.Listen, " ")), cyan})
	}
	if len(t.rows) > 0 || len(st.Programs) == 0 {
		p.table(t)
	}
	if len(t.rows) > 0 && len(st.Programs) > 0 {
		p.line()
	}
	s.programTable(st.Programs)
	if in.LogFile != "" {
		p.line("log: ", in.LogFile)
	}
	if f.demo && s.app.DemoHint != "" {
		p.line("\n", strings.TrimRight(s.app.DemoHint, "\n"))
	}
}
