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

// standing is what status prints as JSON.
type standing struct {
	Info      ctl.Info      `json:"info"`
	Sandboxes []ctl.Sandbox `json:"sandboxes"`
	Programs  []ctl.Program `json:"programs,omitempty"`
	Workers   []ctl.Worker  `json:"workers,omitempty"` // with -v only
}

func (s *shell) statusVerb() *cobra.Command {
	var verbose bool
	var output *format
	cmd := &cobra.Command{
		Use:     "status [NAME]",
		Aliases: []string{"ps", "info"},
		Short:   "Show the instance, its sandboxes and its programs",
		Long: `Show the instance, its sandboxes and its programs, or one of these. READY is how
many instances of a program are ready, of how many. With a name the exit code
tells the state: 0 it runs, 3 it does not, 1 it has failed or waits to be tried
again.`,
		GroupID:           groupLook,
		Args:              arguments(0, 1, "at most one name"),
		ValidArgsFunction: s.names(1, kindSandbox, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), askTime)
			defer cancel()
			return s.on(ctx, "show the status", func(t target) error {
				if len(args) == 1 {
					return s.statusOf(ctx, t, args[0], verbose, *output)
				}
				return s.status(ctx, t, verbose, *output)
			})
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the processes, what they use, and the last runs of programs")
	output = addOutput(cmd)
	return cmd
}

func (s *shell) status(ctx context.Context, t target, verbose bool, f format) error {
	var st standing
	var err error
	if st.Info, err = t.Info(ctx); err == nil {
		st.Sandboxes, err = t.Sandboxes(ctx)
	}
	if err == nil {
		st.Programs, err = programsOf(ctx, t, ctl.Detail{Usage: verbose, History: verbose})
	}
	if err == nil && verbose {
		st.Workers, err = t.Workers(ctx, true)
	}
	if err != nil {
		return s.failed(t, err, "show the status of %s", t.Name)
	}
	if f == formatJSON {
		return failed(s.out.json(st), "print the status")
	}
	s.infoLines(st.Info)
	s.thingTables(st.Sandboxes, st.Programs)
	if !verbose {
		return nil
	}
	if len(st.Workers) > 0 || len(st.Programs) == 0 {
		s.out.line()
		s.workerTable(st.Workers)
	}
	s.instanceTable(st.Programs, true)
	s.historyTable(st.Programs)
	return nil
}

// thingTables shows what runs: sandboxes and programs.
func (s *shell) thingTables(boxes []ctl.Sandbox, programs []ctl.Program) {
	if len(boxes) > 0 || len(programs) == 0 {
		s.sandboxTable(boxes)
	}
	if len(boxes) > 0 && len(programs) > 0 {
		s.out.line()
	}
	s.programTable(programs)
}

// statusOf shows one sandbox or program and makes an exit code of its state.
func (s *shell) statusOf(ctx context.Context, t target, name string, verbose bool, f format) error {
	found, err := s.lookUp(ctx, t, name, ctl.Detail{Usage: verbose, History: verbose})
	if err != nil {
		return s.failed(t, err, "show the status of %s", name)
	}
	state := ""
	if found.program != nil {
		state, err = found.program.State, s.programStatus(*found.program, verbose, f)
	} else {
		state, err = found.sandbox.State, s.sandboxStatus(ctx, t, *found.sandbox, verbose, f)
	}
	if err != nil {
		return err
	}
	if code := stateCode(state); code != codeDone {
		return Exit(code)
	}
	return nil
}

func (s *shell) programStatus(p ctl.Program, verbose bool, f format) error {
	if f == formatJSON {
		return failed(s.out.json(p), "print the status")
	}
	list := []ctl.Program{p}
	s.programTable(list)
	s.instanceTable(list, verbose)
	s.historyTable(list)
	s.lastWords(list)
	return nil
}

func (s *shell) sandboxStatus(ctx context.Context, t target, sb ctl.Sandbox, verbose bool, f format) error {
	var workers []ctl.Worker
	if verbose {
		list, err := t.Workers(ctx, true)
		if err != nil {
			return s.failed(t, err, "show the status of %s", sb.Name)
		}
		workers = hosting(list, sb.Name)
	}
	if f == formatJSON {
		return failed(s.out.json(struct {
			ctl.Sandbox
			Workers []ctl.Worker `json:"workers,omitempty"`
		}{sb, workers}), "print the status")
	}
	s.sandboxTable([]ctl.Sandbox{sb})
	s.placeTable(sb.Instances)
	if verbose {
		s.out.line()
		s.workerTable(workers)
	}
	return nil
}

func stateCode(state string) int {
	switch state {
	case "stopped", "finished", "exited":
		return codeNotRunning
	case "failed", "fatal", "stuck", "backoff":
		return codeFailed
	}
	return codeDone
}

// hosting are the processes that hold a sandbox.
func hosting(workers []ctl.Worker, sandbox string) []ctl.Worker {
	var found []ctl.Worker
	for _, w := range workers {
		if slices.Contains(w.Sandboxes, sandbox) {
			found = append(found, w)
		}
	}
	return found
}

func (s *shell) infoLines(in ctl.Info) {
	p := s.out
	p.line(p.paint(bold, in.Name), " is ", p.paint(stateStyle(in.State), in.State), ": ", in.Mode, " mode, pid ", strconv.Itoa(in.Pid),
		", generation ", strconv.Itoa(in.Generation), ", up ", since(in.Started))
	line := "build " + short(in.Build.ID)
	if in.Build.Path != "" {
		line += " from " + in.Build.Path
	}
	p.line(line)
	if r := in.Reloads; r != (ctl.Reloads{}) {
		p.line(fmt.Sprintf("reloads: %d done, %d failed, %d cut", r.Done, r.Failed, r.Cut))
	}
	p.line()
}

func (s *shell) sandboxTable(list []ctl.Sandbox) {
	if len(list) == 0 {
		s.out.line("no sandboxes")
		return
	}
	t := &table{head: []string{"SANDBOX", "STATE", "SINCE", "WORKER", "PROCESSES", "RESTARTS", "LISTEN"}}
	for _, sb := range list {
		t.add(cell{sb.Name, bold}, cell{sb.State, stateStyle(sb.State)}, cell{text: since(sb.Since)}, cell{text: orDash(sb.Worker)},
			number(len(sb.Instances)), number(sb.Restarts), cell{orDash(strings.Join(sb.Listen, " ")), cyan})
	}
	s.out.table(t)
	for _, sb := range list {
		s.why(sb.Name, sb.Error)
	}
}

func (s *shell) placeTable(places []ctl.Place) {
	if len(places) == 0 {
		return
	}
	s.out.line()
	t := &table{head: []string{"INSTANCE", "STATE", "PID", "GENERATION"}}
	for _, pl := range places {
		t.add(number(pl.Instance), cell{pl.State, stateStyle(pl.State)}, pid(pl.Pid), number(pl.Generation))
	}
	s.out.table(t)
	for _, pl := range places {
		s.why("instance "+strconv.Itoa(pl.Instance), pl.Error)
	}
}

func (s *shell) workerTable(list []ctl.Worker) {
	if len(list) == 0 {
		s.out.line("no processes")
		return
	}
	t := &table{head: []string{"WORKER", "INSTANCE", "STATE", "PID", "GENERATION", "UP", "RESTARTS", "BUILD", "MEMORY", "CPU", "FILES", "THREADS"}}
	for _, w := range list {
		row := []cell{{w.Name, bold}, number(w.Instance), {w.State, stateStyle(w.State)}, pid(w.Pid), number(w.Generation),
			{text: since(w.Started)}, number(w.Restarts), {text: short(w.Build)}}
		t.add(append(row, usage(w.Usage)...)...)
	}
	s.out.table(t)
	for _, w := range list {
		s.why(w.Name, w.Error)
	}
}

// why explains a row of a table.
func (s *shell) why(name, text string) {
	if text != "" {
		s.out.line(s.out.paint(red, name+": "), text)
	}
}

func usage(u *ctl.Usage) []cell {
	if u == nil {
		return []cell{{text: "-"}, {text: "-"}, {text: "-"}, {text: "-"}}
	}
	return []cell{{text: size(u.RSS)}, {text: fmt.Sprintf("%.1f%%", u.CPU)}, number(int(u.Files)), number(int(u.Threads))}
}

func number(n int) cell { return cell{text: strconv.Itoa(n)} }

func pid(n int) cell {
	if n == 0 {
		return cell{text: "-"}
	}
	return number(n)
}
