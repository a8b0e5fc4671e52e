package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
)

// programsOf lists the programs. A master that was built before there were any
// has none.
func programsOf(ctx context.Context, t target, d ctl.Detail) ([]ctl.Program, error) {
	list, err := t.Programs(ctx, d)
	if errors.Is(err, ctl.ErrTooOld) {
		return nil, nil
	}
	return list, err
}

func (s *shell) programTable(list []ctl.Program) {
	if len(list) == 0 {
		return
	}
	t := &table{head: []string{"PROGRAM", "STATE", "PID", "READY", "RESTARTS", "SINCE", "REASON"}}
	for _, p := range list {
		worst, restarts := worstOf(p), 0
		for _, in := range p.Instances {
			restarts += in.Restarts
		}
		t.add(cell{p.Name, bold}, cell{p.State, stateStyle(p.State)}, pids(p), ready(p), number(restarts),
			cell{text: since(worst.Since)}, cell{text: reasonOf(worst)})
	}
	s.out.table(t)
}

// worstOf is the instance that the state of the program is about: of several the
// one that has been in it for the longest.
func worstOf(p ctl.Program) ctl.ProgramInstance {
	var found ctl.ProgramInstance
	for _, in := range p.Instances {
		if in.State == p.State && (found.Instance == 0 || in.Since.Before(found.Since)) {
			found = in
		}
	}
	return found
}

// pids shows the process of a program with one instance, and counts those of
// others.
func pids(p ctl.Program) cell {
	var running []int
	for _, in := range p.Instances {
		if in.Pid != 0 {
			running = append(running, in.Pid)
		}
	}
	switch len(running) {
	case 0:
		return cell{text: "-"}
	case 1:
		return number(running[0])
	}
	return cell{text: strconv.Itoa(running[0]) + " +" + strconv.Itoa(len(running)-1)}
}

// ready tells how many of its instances are ready.
func ready(p ctl.Program) cell {
	n := 0
	for _, in := range p.Instances {
		if in.State == "ready" {
			n++
		}
	}
	return cell{text: fmt.Sprintf("%d/%d", n, len(p.Instances))}
}

// reasonOf says why an instance is in its state, and what comes next.
func reasonOf(in ctl.ProgramInstance) string {
	parts := make([]string, 0, 2)
	if in.Reason != "" {
		parts = append(parts, clean(in.Reason))
	}
	if left := time.Until(in.Next); in.State == "backoff" && !in.Next.IsZero() {
		parts = append(parts, "next start in "+span(left))
	}
	return orDash(strings.Join(parts, "; "))
}

// instanceTable shows the instances of programs, each in a row. With usage it
// shows what they use.
func (s *shell) instanceTable(list []ctl.Program, usages bool) {
	t := &table{head: []string{"PROGRAM", "INSTANCE", "STATE", "PID", "GENERATION", "SINCE", "RESTARTS", "BY"}}
	if usages {
		t.head = append(t.head, "MEMORY", "CPU", "FILES", "THREADS")
	} else {
		t.head = append(t.head, "REASON")
	}
	for _, p := range list {
		for _, in := range p.Instances {
			row := []cell{{p.Name, bold}, number(in.Instance), {in.State, stateStyle(in.State)}, pid(in.Pid), number(in.Generation),
				{text: since(in.Since)}, number(in.Restarts), {text: orDash(in.By)}}
			if usages {
				row = append(row, usage(in.Usage)...)
			} else {
				row = append(row, cell{text: reasonOf(in)})
			}
			t.add(row...)
		}
	}
	if len(t.rows) > 0 {
		s.out.line()
		s.out.table(t)
	}
}

// run is a run that is over, with the instance that it was of.
type run struct {
	ctl.Run
	program  string
	instance int
}

// historyTable shows the runs that are over, the last one first.
func (s *shell) historyTable(list []ctl.Program) {
	var runs []run
	for _, p := range list {
		for _, in := range p.Instances {
			for _, r := range in.History {
				runs = append(runs, run{r, p.Name, in.Instance})
			}
		}
	}
	if len(runs) == 0 {
		return
	}
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(b.Ended.UnixNano(), a.Ended.UnixNano()) })
	t := &table{head: []string{"ENDED", "PROGRAM", "INSTANCE", "GENERATION", "PID", "RAN", "BY", "CAUSE"}}
	for _, r := range runs {
		cause := clean(r.Cause)
		if r.Swept > 0 {
			cause += "; " + count(r.Swept, "process") + " left behind, killed"
		}
		t.add(cell{text: ago(r.Ended)}, cell{r.program, bold}, number(r.instance), number(r.Generation), pid(r.Pid),
			cell{text: span(r.Ended.Sub(r.Started))}, cell{text: orDash(r.By)}, cell{text: orDash(cause)})
	}
	s.out.line()
	s.out.table(t)
}

// lastWords prints what programs said last that have been given up.
func (s *shell) lastWords(list []ctl.Program) {
	for _, p := range list {
		for _, in := range p.Instances {
			if len(in.Output) == 0 {
				continue
			}
			s.out.line()
			s.out.line(s.out.paint(red, fmt.Sprintf("last output of %s, instance %d:", p.Name, in.Instance)))
			for _, line := range in.Output {
				s.out.line(s.out.paint(dim, "  | "), clean(line))
			}
		}
	}
}
