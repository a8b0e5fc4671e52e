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
	Output []string // what it said, line by line
	Err    error
}

// Error gives the first line that the build said.
func (e *CheckError) Error() string {
	if len(e.Output) > 0 {
		return fmt.Sprintf("the new build %s refuses: %s", e.Path, e.Output[0])
	}
	return fmt.Sprintf("the new build %s cannot be checked: %v", e.Path, e.Err)
}

// Unwrap gives the failure of the check itself.
func (e *CheckError) Unwrap() error { return e.Err }

// preflight lets the new build check its own configuration and say what it would
// run. It runs the very file that was opened, whatever happens to its path.
func (m *master) preflight(ctx context.Context, b *build) (d document, err error) {
	ctx, cancel := context.WithTimeout(ctx, preflightLimit)
	defer cancel()
	number, err := inherit.Number(b.file)
	if err != nil {
		return d, fmt.Errorf("cannot run the new build: %w", err)
	}
	cmd := exec.CommandContext(ctx, fmt.Sprintf("/proc/self/fd/%d", number))
	cmd.Args = append([]string{b.path}, checkArgs(m.options)...)
	cmd.Env = append(os.Environ(), m.private...)
	cmd.WaitDelay = time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return d, &CheckError{Path: b.path, Output: lines(said.String()), Err: errors.Join(context.Cause(ctx), err)}
	}
	var manifest cli.Manifest
	err = json.Unmarshal(out.Bytes(), &manifest)
	if err == nil {
		d, err = decodeDocument(manifest.Plan)
	}
	if err != nil {
		return d, &CheckError{Path: b.path, Err: fmt.Errorf("its manifest is not readable: %w", err)}
	}
	return d, nil
}

func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
