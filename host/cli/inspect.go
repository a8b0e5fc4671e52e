package cli

import (
	"context"
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

// part is what inspect NAME prints of a sandbox as JSON.
type part struct {
	Sandbox ctl.Sandbox  `json:"sandbox"`
	Workers []ctl.Worker `json:"workers"`
	Sockets []ctl.Socket `json:"sockets"`
}

// programPart is what it prints of a program.
type programPart struct {
	Program ctl.Program  `json:"program"`
	Sockets []ctl.Socket `json:"sockets"`
}

func (s *shell) inspectVerb() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:               "inspect [NAME]",
		Short:             "Show everything there is to know, of the instance or of one name",
		Long:              "Show everything there is to know: of the instance, or of one sandbox or program.",
		GroupID:           groupLook,
		Args:              arguments(0, 1, "at most one name"),
		ValidArgsFunction: s.names(1, kindSandbox, kindProgram),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), askTime)
			defer cancel()
			return s.on(ctx, "inspect", func(t target) error {
				in, err := t.Inspect(ctx)
				if err != nil {
					return s.failed(t, err, "inspect %s", t.Name)
				}
				if len(args) == 1 {
					return s.inspectOne(ctx, t, in, args[0], *output)
				}
				return s.inspectAll(in, *output)
			})
		},
	}
	output = addOutput(cmd)
	return cmd
}

func (s *shell) inspectAll(in ctl.Inspection, f format) error {
	if f == formatJSON {
		return failed(s.out.json(in), "print what was found")
	}
	s.infoLines(in.Info)
	s.facts([][2]string{
		{"go", in.Info.Build.Go},
		{"program", in.Info.Build.Module},
		{"configuration", in.Info.ConfigFile},
		{"runtime folder", in.Info.RuntimeDir},
		{"log", in.Info.LogFile},
		{"memory", size(in.Runtime.RSS) + ", heap " + size(in.Runtime.Heap)},
		{"open", count(in.Runtime.Files, "file") + ", " + count(in.Runtime.Goroutines, "goroutine")},
	})
	s.out.line()
	s.thingTables(in.Sandboxes, in.Programs)
	s.instanceTable(in.Programs, true)
	if len(in.Workers) > 0 || len(in.Programs) == 0 {
		s.out.line()
		s.workerTable(in.Workers)
	}
	s.socketTable(in.Sockets)
	return nil
}

// inspectOne shows the sandbox or the program of that name.
func (s *shell) inspectOne(ctx context.Context, t target, in ctl.Inspection, name string, f format) error {
	var list []named
	sockets := socketsOf(in.Sockets, name)
	for _, sb := range in.Sandboxes {
		if sb.Name == name {
			return s.inspectSandbox(part{Sandbox: sb, Workers: hosting(in.Workers, name), Sockets: sockets}, f)
		}
		list = append(list, named{sb.Name, sb.State})
	}
	for _, p := range in.Programs {
		if p.Name != name {
			list = append(list, named{p.Name, p.State})
			continue
		}
		full, err := t.Program(ctx, name, ctl.Detail{Usage: true, History: true})
		if err != nil {
			return s.failed(t, err, "inspect %s", name)
		}
		return s.inspectProgram(programPart{Program: full, Sockets: sockets}, f)
	}
	return failed(nobody(name, list), "inspect %s", name)
}

func socketsOf(all []ctl.Socket, name string) []ctl.Socket {
	found := []ctl.Socket{} // JSON says [] then
	for _, sock := range all {
		if sock.Sandbox == name {
			found = append(found, sock)
		}
	}
	return found
}

func (s *shell) inspectSandbox(p part, f format) error {
	if f == formatJSON {
		return failed(s.out.json(p), "print what was found")
	}
	sb := p.Sandbox
	s.out.line(s.out.paint(bold, sb.Name), " is ", s.out.paint(stateStyle(sb.State), sb.State), " since ", since(sb.Since))
	s.facts([][2]string{{"worker", sb.Worker}, {"log level", sb.Level}, {"restarts", number(sb.Restarts).text}, {"error", sb.Error}})
	s.placeTable(sb.Instances)
	s.out.line()
	s.workerTable(p.Workers)
	s.socketTable(p.Sockets)
	return nil
}

func (s *shell) inspectProgram(p programPart, f format) error {
	if f == formatJSON {
		return failed(s.out.json(p), "print what was found")
	}
	pr := p.Program
	wanted := "to run"
	if !pr.Wanted {
		wanted = "not to run"
	}
	worst, reason := worstOf(pr), ""
	if r := reasonOf(worst); r != "-" {
		reason = r
	}
	s.out.line(s.out.paint(bold, pr.Name), " is ", s.out.paint(stateStyle(pr.State), pr.State), " since ", since(worst.Since))
	s.facts([][2]string{
		{"command", commandLine(pr.Command)}, {"wanted", wanted}, {"group", pr.Group}, {"ready", ready(pr).text},
		{"reason", reason}, {"listen", strings.Join(pr.Listen, " ")},
	})
	list := []ctl.Program{pr}
	s.instanceTable(list, true)
	s.historyTable(list)
	s.lastWords(list)
	s.socketTable(p.Sockets)
	return nil
}

// commandLine is a command as one would type it.
func commandLine(args []string) string {
	const safe = "-_=+:,./@%^"
	quoted := make([]string, len(args))
	for i, arg := range args {
		plain := arg != ""
		for _, r := range arg {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
			plain = plain && (letter || strings.ContainsRune(safe, r))
		}
		if quoted[i] = arg; !plain {
			quoted[i] = "'" + strings.ReplaceAll(clean(arg), "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// facts prints what is known, a line each.
func (s *shell) facts(list [][2]string) {
	width := 0
	for _, f := range list {
		width = max(width, len(f[0]))
	}
	for _, f := range list {
		if f[1] != "" {
			s.out.line(s.out.paint(dim, f[0]), strings.Repeat(" ", width-len(f[0])+2), f[1])
		}
	}
}

func (s *shell) socketTable(list []ctl.Socket) {
	if len(list) == 0 {
		return
	}
	s.out.line()
	t := &table{head: []string{"SOCKET", "OWNER", "NAME"}}
	for _, sock := range list {
		t.add(cell{sock.Address, cyan}, cell{text: orDash(sock.Sandbox)}, cell{text: sock.Name})
	}
	s.out.table(t)
}
