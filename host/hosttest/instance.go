package hosttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
)

// Name is what every instance is called; each has a runtime folder of its own.
const Name = "app"

// patience is how long anything may take that has no limit of its own.
const patience = time.Minute

// Instance is an instance under test: a folder with a configuration, a binary to
// be replaced, and a runtime folder. It is stopped, and looked after, when the
// test ends.
type Instance struct {
	Mode   string
	Folder string // of everything; short enough for unix sockets
	Binary string // what runs, and what a reload looks at
	Config string // the configuration file
	Log    string // the log file
	Socket string // of the control API
	Client *ctl.Client
	Env    []string // variables that verbs get, besides those of the tests; set before Start

	tb       testing.TB
	bare     bool   // it has no sandboxes
	pristine string // a program that is never replaced, for verbs
	runtime  string
}

// New makes an instance of mode single or multi that does not run yet.
func New(tb testing.TB, mode string) *Instance {
	tb.Helper()
	in := newInstance(tb, mode, appPackage)
	in.Install(Build{Label: "first"})
	in.Configure(Settings{})
	return in
}

// NewSupervisor is New with the command dserver: an instance without sandboxes,
// for programs. It starts faster than one with.
func NewSupervisor(tb testing.TB, mode string) *Instance {
	tb.Helper()
	in := newInstance(tb, mode, commandPackage)
	in.bare = true
	if err := copyFile(in.pristine, in.Binary); err != nil {
		tb.Fatal(err)
	}
	in.Configure(Settings{})
	return in
}

func newInstance(tb testing.TB, mode, pkg string) *Instance {
	tb.Helper()
	pristine := program(tb, pkg)
	folder, err := os.MkdirTemp("", "ht")
	if err != nil {
		tb.Fatal(err)
	}
	runtime := filepath.Join(folder, "run")
	in := &Instance{
		tb: tb, Mode: mode, Folder: folder, pristine: pristine, runtime: runtime,
		Binary: filepath.Join(folder, "app"), Config: filepath.Join(folder, "dserver.toml"),
		Log: filepath.Join(runtime, Name, "log", "dserver.log"), Socket: filepath.Join(runtime, Name, "ctl.sock"),
	}
	in.Client = ctl.New(in.Socket)
	tb.Cleanup(in.end)
	if err := os.Mkdir(runtime, 0o700); err != nil {
		tb.Fatal(err)
	}
	return in
}

// EachMode runs a test once in each mode with an instance that is not started.
func EachMode(t *testing.T, body func(t *testing.T, in *Instance)) {
	for _, mode := range []string{"single", "multi"} {
		t.Run(mode, func(t *testing.T) { body(t, New(t, mode)) })
	}
}

// Install puts a build at the path of the binary.
func (in *Instance) Install(b Build) {
	in.tb.Helper()
	if err := b.make(in.pristine, in.Binary); err != nil {
		in.tb.Fatal(err)
	}
}

// InstallFile puts anything else there.
func (in *Instance) InstallFile(content []byte, mode os.FileMode) {
	in.tb.Helper()
	if err := replaceFile(in.Binary, content, mode); err != nil {
		in.tb.Fatal(err)
	}
}

// Chmod changes the mode of the binary.
func (in *Instance) Chmod(mode os.FileMode) {
	in.tb.Helper()
	if err := os.Chmod(in.Binary, mode); err != nil {
		in.tb.Fatal(err)
	}
}

// Remove removes the binary.
func (in *Instance) Remove() {
	in.tb.Helper()
	if err := os.Remove(in.Binary); err != nil {
		in.tb.Fatal(err)
	}
}

// Configure writes the configuration file.
func (in *Instance) Configure(s Settings) { in.ConfigureText(s.document(in.Mode, in.bare)) }

// ConfigureText writes the configuration file as it is given.
func (in *Instance) ConfigureText(text string) {
	in.tb.Helper()
	if err := replaceFile(in.Config, []byte(text), 0o600); err != nil {
		in.tb.Fatal(err)
	}
}

// Start starts the instance in the background and fails the test if that fails.
func (in *Instance) Start() {
	in.tb.Helper()
	if r := in.Command(in.Binary, "start", "-d"); r.Code != 0 {
		in.tb.Fatalf("cannot start: %v", r)
	}
}

// Stop stops the instance and fails the test if that fails.
func (in *Instance) Stop() {
	in.tb.Helper()
	if r := in.Run("stop"); r.Code != 0 {
		in.tb.Fatalf("cannot stop: %v", r)
	}
}

// Reload reloads through the control API. An error is one of the call, not of the
// reload.
func (in *Instance) Reload(ctx context.Context, r ctl.ReloadRequest) (ctl.ReloadResult, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return in.Client.Reload(ctx, r)
}

// MustReload installs a build and reloads, and fails the test unless that was committed.
func (in *Instance) MustReload(b Build) ctl.ReloadResult {
	in.tb.Helper()
	in.Install(b)
	result, err := in.Reload(in.tb.Context(), ctl.ReloadRequest{})
	if err != nil {
		in.tb.Fatalf("cannot reload: %v", err)
	}
	if result.Outcome != "committed" {
		in.tb.Fatalf("the reload was %s: %s\n%s", result.Outcome, result.Error, strings.Join(result.Output, "\n"))
	}
	return result
}

// Info asks the master.
func (in *Instance) Info() ctl.Info {
	in.tb.Helper()
	return asked(in, in.Client.Info)
}

// State is that of the master, empty if it does not answer now.
func (in *Instance) State() string {
	ctx, cancel := context.WithTimeout(in.tb.Context(), patience)
	defer cancel()
	info, err := in.Client.Info(ctx)
	if err != nil {
		return ""
	}
	return info.State
}

// Inspect asks the master for everything.
func (in *Instance) Inspect() ctl.Inspection {
	in.tb.Helper()
	return asked(in, in.Client.Inspect)
}

func asked[T any](in *Instance, call func(context.Context) (T, error)) T {
	in.tb.Helper()
	ctx, cancel := context.WithTimeout(in.tb.Context(), patience)
	defer cancel()
	answer, err := call(ctx)
	if err != nil {
		in.tb.Fatal(err)
	}
	return answer
}

// Addr is where a sandbox listens: network is tcp or unix.
func (in *Instance) Addr(sandbox, network string) string {
	in.tb.Helper()
	for _, s := range in.Inspect().Sockets {
		if address, ok := strings.CutPrefix(s.Address, network+"://"); ok && s.Sandbox == sandbox {
			return address
		}
	}
	in.tb.Fatalf("sandbox %s has no %s socket", sandbox, network)
	return ""
}

// Until waits until a condition holds and fails the test if that takes too long.
func (in *Instance) Until(what string, condition func() bool) {
	in.tb.Helper()
	if err := until(patience, condition); err != nil {
		in.tb.Fatalf("waited for %s: %v", what, err)
	}
}

// until looks again and again: most of what is waited for here lives in other
// processes and cannot be waited for in any other way.
func until(limit time.Duration, condition func() bool) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	over := time.NewTimer(limit)
	defer over.Stop()
	for !condition() {
		select {
		case <-look.C:
		case <-over.C:
			return fmt.Errorf("not within %v", limit)
		}
	}
	return nil
}

// InstallApp puts a build of the test program, with a configuration of its own, into
// the folder, for an application that the instance runs beside others. It gives
// the paths of both.
func (in *Instance) InstallApp(name string, b Build, s Settings) (binary, configuration string) {
	in.tb.Helper()
	binary = filepath.Join(in.Folder, name)
	if err := b.make(program(in.tb, appPackage), binary); err != nil {
		in.tb.Fatal(err)
	}
	return binary, in.Write(name+".toml", s.document("multi", false), 0o600)
}
