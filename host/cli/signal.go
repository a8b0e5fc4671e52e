package cli

import (
	"strings"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/signals"
	"github.com/spf13/cobra"
)

func (s *shell) signalVerb() *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "signal NAME... SIGNAL",
		Short: "Send a signal to programs or workers",
		Long: `Send a signal to the main process of every instance of the named programs, or
of workers in multi mode. The signal comes last: a name such as HUP, USR1 or RTMIN+3,
with or without SIG, or a number. It is the program that acts on it; one that ends
because of it is started again as its restart policy says. To end it for good use
stop.`,
		Example:           "  " + s.app.Name + " signal nginx HUP",
		GroupID:           groupRun,
		Args:              signalArguments,
		ValidArgsFunction: s.signalCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, sig := args[:len(args)-1], args[len(args)-1]
			doing := "signal " + strings.Join(names, ", ")
			return s.on(cmd.Context(), doing, func(t target) error {
				ctx, cancel := f.bounded(cmd.Context())
				defer cancel()
				res, err := t.Signal(ctx, ctl.SignalRequest{Names: names, Signal: sig})
				if err != nil {
					return s.failed(t, err, "%s", doing)
				}
				return s.acted("signal", res, *f.output, func(ctl.Action) string { return " was sent " + signalName(sig) })
			})
		},
	}
	f = addActFlags(cmd)
	return cmd
}

func signalArguments(cmd *cobra.Command, args []string) error {
	if err := arguments(2, -1, "names and a signal")(cmd, args); err != nil {
		return err
	}
	last := args[len(args)-1]
	_, err := signals.Parse(last)
	if err == nil {
		return nil
	}
	if _, err := signals.Parse(args[0]); err == nil {
		return usagef(cmd, "the signal comes last: %s %s", strings.Join(args[1:], " "), args[0])
	}
	if strings.Trim(last, "-0123456789") == "" {
		return usagef(cmd, "%v", err)
	}
	word := strings.TrimPrefix(strings.ToUpper(last), "SIG")
	meant := didYouMean(word, signals.Names(), "")
	if meant == "" {
		meant = ": it is one of " + strings.Join(signals.Names()[:usualSignals], ", ") + " and so on"
	}
	return usagef(cmd, "there is no signal %q%s", last, meant)
}

// usualSignals is how many of the names people send to programs.
const usualSignals = 11

// signalName is a signal that is known to be one, as people call it.
func signalName(text string) string {
	sig, err := signals.Parse(text)
	if err != nil {
		return text
	}
	return signals.Name(sig)
}

func (s *shell) signalCompletions(cmd *cobra.Command, args []string, part string) ([]cobra.Completion, cobra.ShellCompDirective) {
	list, directive := s.names(0, kindProgram)(cmd, args, part)
	if len(args) > 0 {
		list = append(list, signals.Names()...)
	}
	return list, directive
}
