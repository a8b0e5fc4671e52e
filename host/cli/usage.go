package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknownVerb looks at a command line before anything else does, so that a
// misspelt verb is an error even beside --help.
func unknownVerb(root *cobra.Command, args []string) error {
	cmd := root
	for cmd.HasSubCommands() {
		word, rest, ok := firstWord(root.PersistentFlags(), args)
		if !ok || strings.HasPrefix(word, "__") { // what completion scripts call
			return nil
		}
		next := child(cmd, word)
		if next == nil {
			return verbUnknown(cmd, word)
		}
		cmd, args = next, rest
	}
	return nil
}

// firstWord finds the first argument that is neither a flag nor a flag's value.
func firstWord(flags *pflag.FlagSet, args []string) (word string, rest []string, ok bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return "", nil, false
		case !strings.HasPrefix(arg, "-") || arg == "-":
			return arg, args[i+1:], true
		case takesNext(flags, arg):
			i++
		}
	}
	return "", nil, false
}

// takesNext tells whether the value of the flag arg is the next argument.
func takesNext(flags *pflag.FlagSet, arg string) bool {
	var f *pflag.Flag
	if name, long := strings.CutPrefix(arg, "--"); long {
		f = flags.Lookup(name)
	} else if len(arg) == 2 {
		f = flags.ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}

func child(cmd *cobra.Command, word string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return c
		}
	}
	return nil
}

func verbUnknown(cmd *cobra.Command, word string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(append(names, c.Name()), c.Aliases...)
	}
	return &usageError{
		text: fmt.Sprintf("cannot run %q: %s has no such verb%s", word, cmd.CommandPath(), didYouMean(word, names, "")),
		hint: fmt.Sprintf("see %q", cmd.CommandPath()+" --help"),
	}
}

// flagError says what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		text    string
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		text = fmt.Sprintf("there is no flag -%s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		text = fmt.Sprintf("there is no flag --%s%s", unknown.GetSpecifiedName(), didYouMean(unknown.GetSpecifiedName(), names, "--"))
	case errors.As(err, &missing):
		text = fmt.Sprintf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		text = fmt.Sprintf("--%s cannot be %q: %v", invalid.GetFlag().Name, invalid.GetValue(), cause(invalid))
	default:
		text = err.Error()
	}
	return usagef(cmd, "%s", text)
}

// cause says why a value is wrong without the words of the parser.
func cause(err *pflag.InvalidValueError) string {
	switch err.GetFlag().Value.Type() {
	case "int":
		return "it must be a whole number"
	case "uint64":
		return "it must be a whole number, not negative"
	case "bool":
		return "it must be true or false"
	}
	return errors.Unwrap(err).Error()
}

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{
		text: fmt.Sprintf("cannot run %q: ", cmd.CommandPath()) + fmt.Sprintf(format, args...),
		hint: fmt.Sprintf("see %q", cmd.CommandPath()+" --help"),
	}
}

// asUsage makes an error of usage of whatever the parser found.
func asUsage(err error) error {
	var own coder
	if errors.As(err, &own) {
		return err
	}
	return &usageError{text: "cannot read the command line: " + err.Error()}
}

// arguments accepts from low to high of them; high < 0 is no limit. what names
// them in the error.
func arguments(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return usagef(cmd, "an argument is empty")
		}
		switch {
		case len(args) < low && high == low:
			return usagef(cmd, "it takes %s, not %d arguments", what, len(args))
		case len(args) < low:
			return usagef(cmd, "it takes %s", what)
		case high >= 0 && len(args) > high:
			return usagef(cmd, "it takes %s, %q is too much", what, args[high])
		}
		return nil
	}
}

// didYouMean names the candidate that is nearest to word, if one is near.
func didYouMean(word string, candidates []string, prefix string) string {
	best, distance := "", 1+max(2, len(word)/2)
	slices.Sort(candidates)
	for _, c := range candidates {
		d := edits(word, c)
		if len(word) > 2 && strings.HasPrefix(c, word) {
			d = 0
		}
		if d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", prefix+best)
}

// edits counts the letters to insert, delete or replace to get from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := before
			if a[i] != b[j] {
				d = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
