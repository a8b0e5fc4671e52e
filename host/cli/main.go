package cli

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Main runs one command line: args without the program's name. It returns the
// exit code. The end of ctx ends what waits, and nothing else.
func Main(ctx context.Context, args []string, st Streams, app App, h Host) int {
	s := &shell{app: app, host: h, in: st.In, out: newPrinter(st.Out), err: newPrinter(st.Err)}
	root := s.root()
	err := unknownVerb(root, args)
	if err == nil {
		root.SetArgs(append(make([]string, 0, len(args)), args...)) // nil would mean those of the process
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return codeDone
	}
	if !s.entered {
		err = asUsage(err)
	}
	s.report(err)
	return exitCode(err)
}

// shell is one run of the command line.
type shell struct {
	app     App
	host    Host
	in      io.Reader
	out     *printer
	err     *printer
	global  Global
	entered bool // a verb has begun: from here on an error is not one of usage
}

func (s *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:               s.app.Name,
		Short:             s.app.Short,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: s.enter,
		RunE:              s.noVerb,
	}
	root.SetIn(s.in)
	root.SetOut(s.out.w)
	root.SetErr(s.err.w)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd.OutOrStdout(), cmd) })
	root.AddGroup(&cobra.Group{ID: groupRun, Title: "Run:"}, &cobra.Group{ID: groupLook, Title: "Look:"}, &cobra.Group{ID: groupTool, Title: "Tools:"})
	f := root.PersistentFlags()
	f.StringVar(&s.global.Name, "name", "", "the instance that is meant (default: the configured one, or the only one that runs)")
	f.StringVar(&s.global.RuntimeDir, "runtime-dir", "", "folder of the instances' runtime folders (or "+runtimeDirVariable+")")
	f.StringVarP(&s.global.Config, "config", "c", "", "configuration file (default: dserver.toml, .yaml, .json or .ini here)")
	f.StringVar(&s.global.Env, "env", "", "overlay: dserver.ENV.toml beside the configuration file, such as dev, test or product")
	root.AddCommand(s.controlVerbs()...)
	root.AddCommand(s.toolVerbs()...)
	help := s.helpVerb()
	root.SetHelpCommand(help)
	root.AddCommand(help)
	return root
}

const runtimeDirVariable = "DSERVER_RUNTIME_DIR"

const (
	groupRun  = "run"
	groupLook = "look"
	groupTool = "tool"
)

// controlVerbs makes the verbs that act on an instance; each call makes new
// ones, since ctl has them too.
func (s *shell) controlVerbs() []*cobra.Command {
	return []*cobra.Command{
		s.startVerb(), s.stopVerb(), s.quitVerb(), s.reloadVerb(), s.restartVerb(), s.upgradeVerb(),
		s.signalVerb(), s.scaleVerb(), s.resetVerb(), s.logLevelVerb(),
		s.statusVerb(), s.inspectVerb(), s.logsVerb(), s.eventsVerb(),
	}
}

func (s *shell) toolVerbs() []*cobra.Command {
	return []*cobra.Command{s.checkVerb(), s.callVerb(), s.ctlVerb(), s.unitVerb(), s.completionVerb(), s.versionVerb()}
}

func (s *shell) ctlVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ctl VERB",
		Short:   "The verbs that act on an instance, under one name",
		GroupID: groupTool,
		RunE:    s.noVerb,
	}
	cmd.AddGroup(&cobra.Group{ID: groupRun, Title: "Run:"}, &cobra.Group{ID: groupLook, Title: "Look:"})
	cmd.AddCommand(s.controlVerbs()...)
	return cmd
}

func (s *shell) enter(cmd *cobra.Command, _ []string) error {
	s.entered = true
	if s.global.RuntimeDir == "" {
		s.global.RuntimeDir = os.Getenv(runtimeDirVariable)
	}
	return nil
}

// noVerb shows the help where a script would see that nothing was done.
func (s *shell) noVerb(cmd *cobra.Command, _ []string) error {
	printHelp(s.err.w, cmd)
	return Exit(codeUsage)
}
