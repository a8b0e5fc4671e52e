package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// helpVerb is --help as a verb, with an exit code for a verb that is not there.
func (s *shell) helpVerb() *cobra.Command {
	return &cobra.Command{
		Use:     "help [VERB]",
		Short:   "Explain a verb",
		GroupID: groupTool,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, word := range args {
				next := child(about, word)
				if next == nil {
					return verbUnknown(about, word)
				}
				about = next
			}
			printHelp(s.out.w, about)
			return nil
		},
	}
}

// printHelp explains a verb: what it does, how it is used, what it takes.
func printHelp(w io.Writer, cmd *cobra.Command) {
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", about, usageLine(cmd))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(w, "Also:  %s\n", strings.Join(cmd.Aliases, ", "))
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, g := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s\n", g.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID {
				fmt.Fprintf(w, "  %-*s  %s\n", cmd.Commands()[0].NamePadding(), c.Name(), c.Short)
			}
		}
	}
	cmd.InitDefaultHelpFlag() // the help verb does not parse the flags of the verb it explains
	cmd.LocalFlags().Lookup("help").Usage = "explain this"
	printFlags(w, "Flags", cmd.LocalNonPersistentFlags().FlagUsages())
	shared := cmd.InheritedFlags().FlagUsages()
	if !cmd.HasParent() {
		shared = cmd.PersistentFlags().FlagUsages()
	}
	printFlags(w, "Flags of all verbs", shared)
	if !cmd.HasParent() {
		fmt.Fprintf(w, "\n%s\n", exitCodes)
	}
}

func printFlags(w io.Writer, title, usages string) {
	if usages != "" {
		fmt.Fprintf(w, "\n%s:\n%s", title, usages)
	}
}

func usageLine(cmd *cobra.Command) string {
	switch {
	case !cmd.HasParent():
		return cmd.Name() + " VERB [flags]"
	case cmd.HasSubCommands():
		return cmd.CommandPath() + " VERB [flags]"
	}
	return cmd.UseLine()
}
