package hosttest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/ctl"
)

// EachSupervisor is [EachMode] with instances without sandboxes, both modes at the
// same time: mostly they wait.
func EachSupervisor(t *testing.T, body func(t *testing.T, in *Instance)) {
	for _, mode := range []string{"single", "multi"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			body(t, NewSupervisor(t, mode))
		})
	}
}

// Write puts a file into the folder and gives its path. Commands of programs are
// run in that folder.
func (in *Instance) Write(name, text string, mode os.FileMode) string {
	in.tb.Helper()
	path := filepath.Join(in.Folder, name)
	if err := replaceFile(path, []byte(text), mode); err != nil {
		in.tb.Fatal(err)
	}
	return path
}

// Read gives a file of the folder; an empty text if there is none.
func (in *Instance) Read(name string) string {
	in.tb.Helper()
	text, err := os.ReadFile(filepath.Join(in.Folder, name))
	if err != nil && !os.IsNotExist(err) {
		in.tb.Fatal(err)
	}
	return string(text)
}

// Program asks the master for a program, with its history.
func (in *Instance) Program(name string) ctl.Program {
	in.tb.Helper()
	return asked(in, func(ctx context.Context) (ctl.Program, error) {
		return in.Client.Program(ctx, name, ctl.Detail{Name: name, History: true})
	})
}

// AwaitProgram waits until a program is in one of some states.
func (in *Instance) AwaitProgram(name string, states ...string) (p ctl.Program) {
	in.tb.Helper()
	in.Until(name+" to be "+states[0], func() bool {
		p = in.Program(name)
		return slices.Contains(states, p.State)
	})
	return p
}

// Pids are the processes of a program's instances, in their order; 0 for one
// without.
func (in *Instance) Pids(program string) (pids []int) {
	in.tb.Helper()
	for _, i := range in.Program(program).Instances {
		pids = append(pids, i.Pid)
	}
	return pids
}

// Programs asks the master for all programs, in the order of the file.
func (in *Instance) Programs() []ctl.Program {
	in.tb.Helper()
	return asked(in, func(ctx context.Context) ([]ctl.Program, error) { return in.Client.Programs(ctx, ctl.Detail{}) })
}

// Output is what the log has of the output of a program: the lines without time,
// name and stream.
func (in *Instance) Output(program string) string {
	in.tb.Helper()
	r := in.Run("logs", program, "-n", "all")
	if r.Code != 0 {
		in.tb.Fatalf("cannot read the log of %s: %v", program, r)
	}
	var b strings.Builder
	for line := range strings.Lines(r.Stdout) {
		_, text, _ := strings.Cut(line, " "+program+" ")
		_, text, _ = strings.Cut(text, " ")
		b.WriteString(text)
	}
	return b.String()
}
