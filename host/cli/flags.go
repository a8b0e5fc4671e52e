package cli

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// format is the value of --output.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

func (f *format) String() string { return string(*f) }

func (*format) Type() string { return "table|json" }

func (f *format) Set(text string) error {
	switch v := format(text); v {
	case formatTable, formatJSON:
		*f = v
		return nil
	}
	return errors.New("it must be table or json")
}

// addOutput gives cmd the flag --output.
func addOutput(cmd *cobra.Command) *format {
	f := formatTable
	cmd.Flags().Var(&f, "output", "print a table or JSON")
	complete(cmd, "output", string(formatTable), string(formatJSON))
	return &f
}

// choice is the value of a flag that takes one of a few words, or none.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Type() string { return strings.Join(c.words, "|") }

func (c *choice) Set(text string) error {
	for _, w := range c.words {
		if w == text {
			c.value = text
			return nil
		}
	}
	return errors.New("it must be " + strings.Join(c.words, " or "))
}

// limit is the value of --timeout: a duration that is not negative.
type limit time.Duration

func (l *limit) String() string { return time.Duration(*l).String() }

func (*limit) Type() string { return "duration" }

func (l *limit) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("it must be a duration such as 500ms, 30s or 2m")
	}
	*l = limit(d)
	return nil
}

// addTimeout gives cmd the flag --timeout.
func addTimeout(cmd *cobra.Command, fallback time.Duration, usage string) *limit {
	l := limit(fallback)
	cmd.Flags().Var(&l, "timeout", usage)
	return &l
}

func complete(cmd *cobra.Command, flag string, words ...string) {
	// It fails only for a flag that does not exist or is completed already.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
