package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/internal/inherit"
)

// preflightLimit is how long a new build may take to check its configuration.
const preflightLimit = 20 * time.Second

// CheckError means that a new build refused its configuration, or is no build
// of this kind.
type CheckError struct {
	Path   string
	Same   bool     // it is the build that runs: only the configuration is another one
	Output []string // what it said, line by line
	Err    error
}

// Error gives the first line that the build said.
func (e *CheckError) Error() string {
	if len(e.Output) == 0 {
		return fmt.Sprintf("the new build %s cannot be checked: %v", e.Path, e.Err)
	}
	text := strings.TrimPrefix(e.Output[0], "error: ") // this is the middle of a sentence
	if e.Same {
		return text
	}
	return fmt.Sprintf("the new build %s refuses: %s", e.Path, text)
}

// rest is what the build said after its first line.
func (e *CheckError) rest() []string { return e.Output[min(1, len(e.Output)):] }

// Unwrap gives the failure of the check itself.
func (e *CheckError) Unwrap() error { return e.Err }

// checked is what a new build said of itself.
type checked struct {
	document
	Handover int // version of a master's state that it can go on with
}

// preflight lets the new build check its own configuration and say what it would
// run. It runs the very file that was opened, whatever happens to its path.
func (m *master) preflight(ctx context.Context, b *build) (d checked, err error) {
	ctx, cancel := context.WithTimeout(ctx, preflightLimit)
	defer cancel()
	number, err := inherit.Number(b.file)
	if err != nil {
		return d, fmt.Errorf("cannot run the new build: %w", err)
	}
	q := question{
		file: fmt.Sprintf("/proc/self/fd/%d", number), args: append([]string{b.path}, checkArgs(m.options)...),
		env: append(os.Environ(), m.private...),
	}
	out, said, err := q.ask(ctx)
	if err != nil {
		return d, &CheckError{Path: b.path, Same: sameFile(b.file, m.currentPlan().build.file), Output: said, Err: err}
	}
	if d, err = readManifest(out); err != nil {
		return d, &CheckError{Path: b.path, Err: err}
	}
	return d, nil
}

// readManifest takes the answer of a check apart.
func readManifest(text []byte) (d checked, err error) {
	var manifest cli.Manifest
	if err = json.Unmarshal(text, &manifest); err == nil {
		d.Handover = manifest.Handover
		d.document, err = decodeDocument(manifest.Plan)
	}
	if err != nil {
		return checked{}, fmt.Errorf("its manifest is not readable: %w", err)
	}
	return d, nil
}

// question is a run of an executable that is to check something.
type question struct {
	file string
	args []string // its name included
	dir  string   // where it works; empty: here
	env  []string
}

// A build that was written a moment ago may still be open for writing in a process
// that was forked meanwhile, until that one executes its own program.
const (
	busyTries = 10
	busyWait  = 20 * time.Millisecond
)

// ask runs it and gives what it printed, and what it said beside that, line by
// line.
func (q question) ask(ctx context.Context) (out []byte, said []string, err error) {
	for range busyTries {
		out, said, err = q.run(ctx)
		if !errors.Is(err, syscall.ETXTBSY) || !wait(ctx, busyWait) {
			break
		}
	}
	if err != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return out, said, err
}

func (q question) run(ctx context.Context) (out []byte, said []string, err error) {
	cmd := exec.CommandContext(ctx, q.file)
	cmd.Args, cmd.Dir, cmd.Env = q.args, q.dir, q.env
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.Bytes(), lines(stderr.String()), err
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
