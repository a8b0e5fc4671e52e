package cli

import (
	"context"
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

// part is what inspect NAME prints as JSON.
type part struct {
	Sandbox ctl.Sandbox  `json:"sandbox"`
	Workers []ctl.Worker `json:"workers"`
	Sockets []ctl.Socket `json:"sockets"`
}

func (s *shell) inspectVerb() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:               "inspect [NAME]",
		Short:             "Show everything there is to know, of the instance or of one sandbox",
		GroupID:           groupLook,
		Args:              arguments(0, 1, "at most one name"),
		ValidArgsFunction: s.sandboxNames(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), askTime)
			defer cancel()
			return s.on(ctx, "inspect", func(t target) error {
				in, err := t.Inspect(ctx)
				if err != nil {
					return s.failed(t, err, "inspect %s", t.Name)
				}
				if len(args) == 1 {
					return s.inspectOne(in, args[0], *output)
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
	s.sandboxTable(in.Sandboxes)
	s.out.line()
	s.workerTable(in.Workers)
	s.socketTable(in.Sockets)
	return nil
}

func (s *shell) inspectOne(in ctl.Inspection, name string, f format) error {
	var names []string
	for _, sb := range in.Sandboxes {
		names = append(names, sb.Name)
		if sb.Name != name {
			continue
		}
		p := part{Sandbox: sb, Workers: hosting(in.Workers, name)}
		for _, sock := range in.Sockets {
			if sock.Sandbox == name {
				p.Sockets = append(p.Sockets, sock)
			}
		}
		if f == formatJSON {
			return failed(s.out.json(p), "print what was found")
		}
		s.out.line(s.out.paint(bold, sb.Name), " is ", s.out.paint(stateStyle(sb.State), sb.State), " since ", since(sb.Since))
		s.facts([][2]string{{"worker", sb.Worker}, {"log level", sb.Level}, {"restarts", number(sb.Restarts).text}, {"error", sb.Error}})
		s.placeTable(sb.Instances)
		s.out.line()
		s.workerTable(p.Workers)
		s.socketTable(p.Sockets)
		return nil
	}
	return failed(ctl.Problemf(ctl.ErrNotFound, "there is no such sandbox%s", didYouMean(name, names, "")).
		WithHint("sandboxes: "+strings.Join(names, ", ")), "inspect %s", name)
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
	t := &table{head: []string{"SOCKET", "SANDBOX", "NAME"}}
	for _, sock := range list {
		t.add(cell{sock.Address, cyan}, cell{text: orDash(sock.Sandbox)}, cell{text: sock.Name})
	}
	s.out.table(t)
}
