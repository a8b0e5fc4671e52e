package probe

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"unicode/utf8"
)

// Command is what a [Runner] runs.
type Command struct {
	Path string   // of the executable
	Args []string // with the program's own name
	Env  []string // the whole environment
	Dir  string   // empty: ours
}

// Runner runs commands.
type Runner interface {
	// Run runs c to its end, and gives the end of what it printed. The error is nil
	// if it exited with 0, and else such as "exit status 3". When ctx ends, it is
	// killed with all that it has started; Run returns when they are gone.
	Run(ctx context.Context, c Command) (output []byte, err error)
}

// OwnSession is a Runner that gives each command a session of its own, and kills
// its process group, and all that descend from it, when the command has ended or
// is to end. What has left both the group and its parents lives on: a Runner that
// puts commands into control groups is better.
type OwnSession struct{}

var _ Runner = OwnSession{}

// maxOutput is how much of what a command prints is kept, in bytes.
const maxOutput = 4 << 10

// maxShown is how much of it an error shows, in bytes.
const maxShown = 200

// execution asks by a command.
type execution struct {
	command Command
	runner  Runner
}

func newExecution(c Check) (func(context.Context) error, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, errors.New("there is no command")
	}
	for _, text := range append(append([]string{c.Dir}, c.Command...), c.Env...) {
		if strings.Contains(text, "\x00") {
			return nil, fmt.Errorf("%q contains a zero byte", text)
		}
	}
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		return nil, err
	}
	e := execution{runner: c.Runner, command: Command{Path: path, Args: c.Command, Env: c.Env, Dir: c.Dir}}
	if e.runner == nil {
		e.runner = OwnSession{}
	}
	return e.ask, nil
}

func (e execution) ask(ctx context.Context) error {
	output, err := e.runner.Run(ctx, e.command)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if last := lastLine(output); last != "" {
		return fmt.Errorf("%s: %w (it said: %s)", e.command.Args[0], err, last)
	}
	return fmt.Errorf("%s: %w", e.command.Args[0], err)
}

// lastLine gives the last line that is not empty, cut and fit to be shown.
func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return printable(lines[len(lines)-1], maxShown)
}

// printable makes a text fit to be shown in one line of at most so many bytes.
func printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "..."
}
