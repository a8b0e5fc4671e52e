package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dserver/dserver/ctl"
)

const (
	codeDone       = 0
	codeFailed     = 1
	codeUsage      = 2
	codeNotRunning = 3
	codeTimedOut   = 4
)

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong use, 3 not running, 4 timed out."

// coder is an error that knows its exit code.
type coder interface {
	error
	ExitCode() int
}

// exitCode is what the process ends with for err.
func exitCode(err error) int {
	var own coder
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.Is(err, ctl.ErrNotRunning):
		return codeNotRunning
	case errors.Is(err, ctl.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return codeTimedOut
	}
	return codeFailed
}

// usageError is a command line that makes no sense.
type usageError struct {
	text string
	hint string
}

func (e *usageError) Error() string { return e.text }

func (e *usageError) ExitCode() int { return codeUsage }

// ExitCode is 2: the command line does not say which one.
func (e *AmbiguousError) ExitCode() int { return codeUsage }

// Exit is a failure that has been told already: Main returns it as the exit code
// and prints nothing.
type Exit int

// Error names the code, for those who print it all the same.
func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// ExitCode is the number itself.
func (e Exit) ExitCode() int { return int(e) }

// verbError says what could not be done.
type verbError struct {
	doing string // "stop shop"
	err   error
	text  string // used instead of err's
	hint  string // used if err has none
}

func (e *verbError) Unwrap() error { return e.err }

// Error is one line that begins with "cannot", or several for several causes.
func (e *verbError) Error() string {
	cause := causeOf(e.err)
	text := cause.Error()
	_, isProblem := errors.AsType[*ctl.Problem](cause)
	switch {
	case e.text != "":
		text = e.text
	case errors.Is(cause, ctl.ErrNotRunning) && !isProblem:
		text = "it is not running"
	case errors.Is(cause, ctl.ErrTooOld):
		text = "the running master was built before this command and does not know it"
	case strings.HasPrefix(text, "cannot "):
		return text
	}
	if strings.Contains(text, "\n") {
		text = "\n  " + strings.ReplaceAll(text, "\n", "\n  ")
	} else {
		text = " " + text
	}
	return "cannot " + e.doing + ":" + text
}

// causeOf is the error of a call without the request: which one it was is of no
// use at a command line.
func causeOf(err error) error {
	if call, ok := errors.AsType[*ctl.CallError](err); ok {
		return call.Err
	}
	return err
}

// failed says that a verb could not do what it is for; nil stays nil.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &verbError{doing: fmt.Sprintf(format, args...), err: err}
}

// report prints what went wrong, what the failed part said last, and what to do.
func (s *shell) report(err error) {
	if _, told := errors.AsType[Exit](err); told {
		return
	}
	s.err.line(s.err.paint(red, "error: ") + err.Error())
	if f, ok := errors.AsType[*Failure](err); ok {
		s.output(f.Output)
	}
	if hint := s.hint(err); hint != "" {
		s.err.line(s.err.paint(yellow, "hint: ") + hint)
	}
}

// output prints the last lines of something that failed.
func (s *shell) output(lines []string) {
	for _, line := range lines {
		s.err.line(s.err.paint(dim, "  | ") + line)
	}
}

func (s *shell) hint(err error) string {
	var (
		usage   *usageError
		failure *Failure
		problem *ctl.Problem
		own     *verbError
	)
	switch {
	case errors.As(err, &usage) && usage.hint != "":
		return usage.hint
	case errors.As(err, &failure) && failure.Hint != "":
		return failure.Hint
	case errors.As(err, &problem) && problem.Hint != "":
		return problem.Hint
	case errors.As(err, &own) && own.hint != "":
		return own.hint
	}
	if _, ok := errors.AsType[*AmbiguousError](err); ok {
		return "choose one with --name"
	}
	return ""
}
