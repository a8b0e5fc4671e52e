package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/spf13/cobra"
)

const logLines = 50 // to begin with

func (s *shell) logsVerb() *cobra.Command {
	q := ctl.LogQuery{Lines: logLines}
	stream := choice{words: ctl.LogStreams()}
	var output *format
	cmd := &cobra.Command{
		Use:   "logs [NAME...]",
		Short: "Print the log, of the instance or of some names",
		Long: `Print the log of the instance, or what some programs, sandboxes, workers or the
master wrote, ordered by time. Logs that programs have for themselves are looked
into as well.

Without --lines it is the newest 50 lines, with --since all from then on. A time is
how long ago, such as 10m, 2h or 3d, or a moment such as 2006-01-02T15:04:05Z or,
in local time, 2006-01-02, 2006-01-02T15:04 and 2006-01-02T15:04:05. A pattern is a
regular expression in the syntax of RE2. With -f it goes on until you leave, also over
reloads and rotations.`,
		GroupID:           groupLook,
		ValidArgsFunction: s.names(0, kindSandbox, kindProgram),
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("since") && !cmd.Flags().Changed("lines") {
				q.Lines = ctl.AllLogLines
			}
			q.Stream, q.Names = stream.value, args
			if err := checkLogs(cmd, q); err != nil {
				return err
			}
			return arguments(0, -1, "names")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found := false
			err := s.watch(cmd.Context(), "read the log", func(ctx context.Context, t target) error {
				found = true
				return t.Logs(ctx, q, func(l ctl.LogLine) error { return s.logLine(l, *output) })
			})
			if own, ok := errors.AsType[*verbError](err); ok && !found && errors.Is(err, ctl.ErrNotRunning) {
				// The log of one that has ended can be read without us.
				own.hint += fmt.Sprintf("; where the log of one that has ended lies says %q", s.app.Name+" logs --name NAME")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&q.Follow, "follow", "f", false, "go on with new lines")
	f.VarP((*lineCount)(&q.Lines), "lines", "n", "how many of the newest lines to begin with, or all")
	f.Var((*moment)(&q.Since), "since", "leave out what is older")
	f.Var((*moment)(&q.Until), "until", "leave out that and what is newer")
	f.VarP((*pattern)(&q.Grep), "grep", "g", "only lines whose text matches")
	f.Var(&stream, "stream", "only what came from standard output or error, or from a logger")
	complete(cmd, "stream", stream.words...)
	output = addOutput(cmd)
	return cmd
}

// checkLogs finds what does not go together.
func checkLogs(cmd *cobra.Command, q ctl.LogQuery) error {
	switch {
	case q.Follow && !q.Until.IsZero():
		return usagef(cmd, "--until has no meaning with --follow: that goes on")
	case !q.Until.IsZero() && !q.Until.After(q.Since):
		return usagef(cmd, "--until must be later than --since")
	}
	return nil
}

// lineCount is the value of --lines: a number or all.
type lineCount int

func (c *lineCount) String() string {
	if *c == ctl.AllLogLines {
		return "all"
	}
	return strconv.Itoa(int(*c))
}

func (*lineCount) Type() string { return "number|all" }

func (c *lineCount) Set(text string) error {
	if text == "all" {
		*c = ctl.AllLogLines
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > ctl.MaxLogLines {
		return fmt.Errorf("it must be all or a number from 0 to %d", ctl.MaxLogLines)
	}
	*c = lineCount(n)
	return nil
}

// moment is a time, or how long ago it was.
type moment time.Time

func (m *moment) String() string {
	if t := time.Time(*m); !t.IsZero() {
		return t.Format(time.RFC3339)
	}
	return ""
}

func (*moment) Type() string { return "time" }

func (m *moment) Set(text string) error {
	if d, ok := howLongAgo(text); ok {
		*m = moment(time.Now().Add(-d))
		return nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		*m = moment(t)
		return nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			*m = moment(t)
			return nil
		}
	}
	return errors.New("it must be how long ago, such as 10m, 2h or 3d, or a moment such as 2006-01-02T15:04:05Z")
}

// howLongAgo reads a duration, which may begin with days.
func howLongAgo(text string) (time.Duration, bool) {
	var days time.Duration
	if number, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return 0, false
		}
		if days = time.Duration(n) * 24 * time.Hour; rest == "" {
			return days, true
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	return days + d, err == nil && d >= 0
}

// pattern is a regular expression.
type pattern string

func (p *pattern) String() string { return string(*p) }

func (*pattern) Type() string { return "pattern" }

func (p *pattern) Set(text string) error {
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("it is no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	*p = pattern(text)
	return nil
}

func (s *shell) logLine(l ctl.LogLine, f format) error {
	if f == formatJSON {
		return s.out.jsonLine(l)
	}
	p, stream, name := s.out, dim, orDash(l.Name)
	if l.Stream == "err" {
		stream = yellow
	}
	if l.Instance > 1 {
		name = fmt.Sprintf("%s/%d", name, l.Instance)
	}
	return p.write(p.paint(dim, p.stamp(l.Time)) + " " + p.paint(bold, name) + " " + p.paint(stream, orDash(l.Stream)) + " " + l.Text)
}
