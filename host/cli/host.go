package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dserver/dserver/ctl"
)

// Host is what the verbs need of the process they run in. Errors that wrap a
// sentinel of package ctl, an [*AmbiguousError] or a [*Failure] decide the exit
// code; anything else is 1. Texts are "cannot X: why", one line each.
type Host interface {
	Starter
	Finder
	Checker
}

// Starter makes a master out of this process, or of one behind it.
type Starter interface {
	// Start runs the master in this process until it ends. nil means that it
	// was told to end. When all was not ready in time it stops what it began
	// and returns an error that wraps [ctl.ErrTimeout].
	Start(ctx context.Context, o StartOptions) error
	// Daemon does the same in a process of its own and returns when all is
	// ready there, or a [*Failure] when that one has ended before.
	Daemon(ctx context.Context, o StartOptions) (Started, error)
}

// Finder knows which instances there are.
type Finder interface {
	// Locate tells which instance g means, whether it runs or not. Without a
	// name and without a configuration it is the only one that runs:
	// [ctl.ErrNotRunning] if there is none, [*AmbiguousError] if there are more.
	Locate(ctx context.Context, g Global) (Instance, error)
	// Gone returns nil as soon as no process holds the instance any more.
	Gone(ctx context.Context, in Instance) error
}

// Checker knows this executable.
type Checker interface {
	// Check reads the configuration as a start with o would and touches nothing. An
	// error with Unwrap() []error is printed one line each.
	Check(ctx context.Context, o StartOptions) (Manifest, error)
	// Build tells which code this process runs.
	Build() (ctl.Build, error)
}

// Global says which instance is meant. The zero value leaves it to the
// configuration in the working directory, then to what runs.
type Global struct {
	Name       string // of the instance
	RuntimeDir string // folder that holds the instances' folders; default: decided by the host
	Config     string // file; default: dserver.toml, .yaml, .json or .ini in the working directory
	Env        string // overlay: dserver.ENV.toml
}

// Instance is where a master lives.
type Instance struct {
	Name   string
	Dir    string // runtime folder
	Socket string // control socket
	Log    string // log file
	Pid    int    // of the process that holds it; 0: it does not run
}

// StartOptions says what to start and how.
type StartOptions struct {
	Global
	Names   []string      // sandboxes and programs; none means all
	Mode    string        // single or multi; empty: as configured
	Demo    bool          // the built-in demo instead of a configuration
	Timeout time.Duration // for all to be ready; 0: no limit but those configured
	Out     io.Writer     // what the master prints in the foreground
	Err     io.Writer
	// Ready is called once when an instance has started, never after a reload.
	// It may be nil.
	Ready func(Started)
}

// Started is an instance that is ready.
type Started struct {
	Info      ctl.Info      `json:"info"`
	Sandboxes []ctl.Sandbox `json:"sandboxes"`
	Programs  []ctl.Program `json:"programs,omitempty"`
	Ready     time.Duration `json:"ready_ns"` // from the command to ready
}

// Manifest is what a start would run: the answer of check. A running master
// reads it from a new build before it reloads.
type Manifest struct {
	Name       string            `json:"name"`
	Mode       string            `json:"mode"`
	Build      ctl.Build         `json:"build"` // without its ID
	ConfigFile string            `json:"config_file,omitempty"`
	Sandboxes  []ManifestSandbox `json:"sandboxes"`
	Workers    []ManifestWorker  `json:"workers"`
	Programs   []ManifestProgram `json:"programs,omitempty"`
	Limits     ManifestLimits    `json:"limits,omitzero"`
	Warnings   []string          `json:"warnings,omitempty"`

	// Handover is the version of a running master's state that the build can go on
	// with in place; see upgrade.
	Handover int `json:"handover,omitempty"`

	// Plan is the checked configuration in the form that hosts exchange; the
	// command line only passes it on.
	Plan json.RawMessage `json:"plan,omitempty"`
}

// ManifestSandbox is a sandbox as it would run.
type ManifestSandbox struct {
	Name   string           `json:"name"`
	Worker string           `json:"worker"`
	Listen []ManifestListen `json:"listen"`
}

// ManifestListen is a socket that a sandbox would get.
type ManifestListen struct {
	Name    string `json:"name"`    // listen name or index
	Address string `json:"address"` // as configured, tcp://127.0.0.1:9091
}

// ManifestWorker is a process that would run.
type ManifestWorker struct {
	Name      string   `json:"name"`
	Instances int      `json:"instances"`
	Sandboxes []string `json:"sandboxes"`
}

// ManifestProgram is a program that would run.
type ManifestProgram struct {
	Name      string           `json:"name"`
	Command   []string         `json:"command"`
	Instances int              `json:"instances"`
	Listen    []ManifestListen `json:"listen,omitempty"`
}

// ManifestLimits are the limits that whoever runs the instance has to know.
type ManifestLimits struct {
	Stop time.Duration `json:"stop_ns"` // the longest that a stop of the whole instance takes
}

// AmbiguousError means that more than one instance runs and none was named.
type AmbiguousError struct {
	Running []Instance
}

// Error names the instances.
func (e *AmbiguousError) Error() string {
	names := make([]string, len(e.Running))
	for i, in := range e.Running {
		names[i] = fmt.Sprintf("%s (pid %d)", in.Name, in.Pid)
	}
	return "more than one instance runs: " + strings.Join(names, ", ")
}

// Failure is an error with what a person needs to understand it.
type Failure struct {
	Cause  error
	Output []string // the last lines of what failed, oldest first
	Hint   string   // one line: what to do next
}

// Error gives the cause's text.
func (e *Failure) Error() string { return e.Cause.Error() }

// Unwrap gives the cause.
func (e *Failure) Unwrap() error { return e.Cause }
