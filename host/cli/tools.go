package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (s *shell) checkVerb() *cobra.Command {
	var manifest, demo bool
	mode := choice{words: []string{"single", "multi"}}
	var output *format
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and touch nothing",
		Long: `Read the configuration as a start would and say all that is wrong with it.
Nothing is opened, started or changed.`,
		GroupID: groupTool,
		Args:    arguments(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := s.host.Check(cmd.Context(), StartOptions{Global: s.global, Mode: mode.value, Demo: demo})
			if err != nil {
				return failed(err, "accept the configuration")
			}
			if manifest || *output == formatJSON {
				return failed(s.out.json(m), "print the manifest")
			}
			s.manifest(m)
			return nil
		},
	}
	cmd.Flags().Var(&mode, "mode", "as start would be given it")
	complete(cmd, "mode", mode.words...)
	if s.app.Demo {
		cmd.Flags().BoolVar(&demo, "demo", false, "check the demo that is built in")
	}
	cmd.Flags().BoolVar(&manifest, "manifest", false, "print what a start would run, as JSON")
	output = addOutput(cmd)
	return cmd
}

func (s *shell) manifest(m Manifest) {
	p, from := s.out, "the defaults are"
	if m.ConfigFile != "" {
		from = m.ConfigFile + " is"
	}
	programs := ""
	if len(m.Programs) > 0 {
		programs = ", " + count(len(m.Programs), "program")
	}
	p.line(from, " ", p.paint(green, "valid"), ": ", p.paint(bold, m.Name), ", ", m.Mode, " mode, ",
		count(len(m.Sandboxes), "sandbox"), ", ", count(len(m.Workers), "worker"), programs)
	for _, w := range m.Warnings {
		p.line(p.paint(yellow, "warning: "), w)
	}
	t := &table{head: []string{"SANDBOX", "WORKER", "LISTEN"}}
	for _, sb := range m.Sandboxes {
		t.add(cell{sb.Name, bold}, cell{text: orDash(sb.Worker)}, addresses(sb.Listen))
	}
	if len(t.rows) > 0 {
		p.line()
		p.table(t)
	}
	t = &table{head: []string{"PROGRAM", "INSTANCES", "LISTEN", "COMMAND"}}
	for _, pr := range m.Programs {
		t.add(cell{pr.Name, bold}, number(pr.Instances), addresses(pr.Listen), cell{text: commandLine(pr.Command)})
	}
	if len(t.rows) > 0 {
		p.line()
		p.table(t)
	}
}

func addresses(list []ManifestListen) cell {
	var all []string
	for _, l := range list {
		all = append(all, l.Address)
	}
	return cell{orDash(strings.Join(all, " ")), cyan}
}

func (s *shell) versionVerb() *cobra.Command {
	var output *format
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print which build this is",
		GroupID: groupTool,
		Args:    arguments(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			b, err := s.host.Build()
			if err != nil {
				return failed(err, "tell the version")
			}
			if *output == formatJSON {
				return failed(s.out.json(b), "print the version")
			}
			s.out.line(s.out.paint(bold, s.app.Name), " build ", short(b.ID))
			s.facts([][2]string{{"program", b.Module}, {"go", b.Go}, {"path", b.Path}})
			return nil
		},
	}
	output = addOutput(cmd)
	return cmd
}

func (s *shell) completionVerb() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that makes a shell complete verbs, flags and names",
		Long: fmt.Sprintf(`Print the script that makes a shell complete verbs, flags and the names of
sandboxes and programs.
For bash, now:  source <(%[1]s completion bash)
  and for ever: %[1]s completion bash > /etc/bash_completion.d/%[1]s`, s.app.Name),
		GroupID:   groupTool,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments(1, 1, "the name of a shell")(cmd, args); err != nil {
				return err
			}
			if !slices.Contains(shells, args[0]) {
				return usagef(cmd, "there is no script for %q: it must be one of %s", args[0], strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), s.out.w
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(w, true)
			case "zsh":
				err = root.GenZshCompletion(w)
			case "fish":
				err = root.GenFishCompletion(w, true)
			default:
				err = root.GenPowerShellCompletionWithDesc(w)
			}
			return failed(err, "print the script")
		},
	}
}
