package host

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/program"
	"github.com/dserver/dserver/host/rundir"
	"github.com/dserver/dserver/sandbox"
)

// The control session is an rpc session (raw protocol, JSON bodies) over an
// inherited socketpair between a master and each of its workers, or between a
// master in single mode and the process that is to succeed it. Both sides call
// and push. Fields are only ever added, and a master accepts workers that speak
// its own or the previous protocol version.
const (
	controlProtocol    = 1 // version that this build speaks
	controlProtocolMin = 1 // oldest version it accepts
)

// Routes that the master answers.
const (
	routeHello  = "/master/hello"  // CALL helloRequest -> Assignment
	routeReady  = "/master/ready"  // CALL: all sandboxes are ready
	routeFailed = "/master/failed" // CALL failure: the start has failed
	routeState  = "/master/state"  // CALL sandbox.Status: answered, so that no later answer overtakes it
	routeHurry  = "/master/hurry"  // PUSH drainRequest, from a successor that stops: what drains here gets no more time
	routeListen = "/master/listen" // CALL listenRequest; the socket comes on the passing socketpair
)

// Routes that the worker answers.
const (
	routeOpen    = "/worker/open"    // CALL Baton -> opening
	routeDrain   = "/worker/drain"   // CALL drainRequest -> sandbox.Report
	routeCut     = "/worker/cut"     // PUSH: the drain has lasted long enough
	routeStart   = "/worker/start"   // CALL nameRequest
	routeStop    = "/worker/stop"    // CALL nameRequest -> sandbox.Report
	routeRestart = "/worker/restart" // CALL nameRequest -> sandbox.Report
	routeLevel   = "/worker/level"   // CALL levelRequest
	routeServed  = "/worker/served"  // CALL -> int64: how many requests were answered
	routeLeft    = "/worker/left"    // CALL legacy, to a successor: what the former master had to cut
)

// helloRequest is the first thing a worker says in a session.
type helloRequest struct {
	Protocol int `json:"protocol"`
	Pid      int `json:"pid"`
	// Presence is there if the worker has had a session before.
	Presence *presence `json:"presence,omitempty"`
}

// presence is how far a worker is that comes to a new master, or to the same one
// once more.
type presence struct {
	Ready     bool             `json:"ready"`    // all its sandboxes were ready
	Open      bool             `json:"open"`     // it was ordered to accept
	Draining  bool             `json:"draining"` // it was ordered to drain
	Sandboxes []sandbox.Status `json:"sandboxes"`
}

// Assignment is the answer: all that a worker needs to know. It is read from no
// file, so every process of an instance works with the very configuration that
// was checked.
type Assignment struct {
	Instance  string    `json:"instance"` // the instance's name
	Mode      string    `json:"mode"`
	Demo      bool      `json:"demo,omitempty"` // the services are those of the built-in demo
	Sandboxes []Sandbox `json:"sandboxes"`      // in start order
	// Config is everything that was configured, as JSON, for frameworks with a
	// configuration of their own.
	Config json.RawMessage `json:"config,omitempty"`

	// Generation is the number of this start in its slot.
	Generation int `json:"generation"`
	// Home is where a worker looks for a master when its own has gone.
	Home Home `json:"home,omitzero"`
	// Succession is there if the receiver is to succeed the master.
	Succession *Succession `json:"succession,omitempty"`
}

// Home is where a worker looks for a master when its own has gone.
type Home struct {
	Path  string        `json:"path"`     // of the socket where masters receive workers
	Token string        `json:"token"`    // by which a master knows this very process
	Grace time.Duration `json:"grace_ns"` // how long it looks, and serves on meanwhile
}

// Sandbox is one sandbox of an assignment.
type Sandbox struct {
	Name          string           `json:"name"`
	Listen        []sandbox.Listen `json:"listen,omitempty"`
	Config        json.RawMessage  `json:"config,omitempty"` // as text, which keeps long numbers whole
	ExplicitReady bool             `json:"explicit_ready"`
	Restart       string           `json:"restart"`
	Level         string           `json:"level"`
	Stopped       bool             `json:"stopped,omitempty"` // somebody stopped it; it stays so
}

// Baton is what a master that retires gives its successor with the order to
// open. A worker's is empty.
type Baton struct {
	Events  []ctl.Event      `json:"events,omitempty"`  // what the predecessor remembers
	Reloads ctl.Reloads      `json:"reloads,omitzero"`  // counts so far, this one included
	Commits int              `json:"commits,omitempty"` // generations committed so far, this one included
	Began   time.Time        `json:"began,omitzero"`    // the reload that is being committed
	Result  ctl.ReloadResult `json:"result,omitzero"`   // of it, as far as it is known
	Queue   queue            `json:"queue,omitzero"`    // of reloads

	Programs *program.Records `json:"programs,omitempty"`
	Kept     int              `json:"kept,omitempty"` // how many files of programs are sent
}

// opening is the answer to the order to open: what came of the programs.
type opening struct {
	Error  string   `json:"error,omitempty"`
	Output []string `json:"output,omitempty"`
}

func (o opening) err() error {
	if o.Error == "" {
		return nil
	}
	return &outputError{text: o.Error, output: o.Output}
}

// legacy is what a former master had to cut when it ended.
type legacy struct {
	Generation int      `json:"generation"` // that was cut
	Cut        []string `json:"cut"`
}

// failure is why a start came to nothing.
type failure struct {
	Error string `json:"error"`
}

type drainRequest struct {
	Timeout time.Duration `json:"timeout_ns"`
}

type nameRequest struct {
	Name    string        `json:"name"`
	Timeout time.Duration `json:"timeout_ns,omitempty"`
}

type levelRequest struct {
	Name  string     `json:"name"`
	Level slog.Level `json:"level"`
}

type listenRequest struct {
	Sandbox string         `json:"sandbox"`
	Listen  sandbox.Listen `json:"listen"`
}

// Succession is what a master in single mode tells the process that is to
// succeed it, beside the assignment.
type Succession struct {
	Sockets  []socketKey     `json:"sockets"`        // in the order of the handed descriptors
	Global   cli.Global      `json:"global"`         // what the command line said
	Mode     string          `json:"mode,omitempty"` // likewise
	Dir      rundir.Dir      `json:"dir"`
	Environ  []string        `json:"environ"` // variables of ours, for preflights to come; no child sees them
	Notify   string          `json:"notify,omitempty"`
	Watchdog time.Duration   `json:"watchdog_ns,omitempty"`
	Lifeline bool            `json:"lifeline,omitempty"` // a launcher is to be told
	Started  time.Time       `json:"started"`            // of the first process of this instance
	Plan     json.RawMessage `json:"plan"`               // a document, as the preflight of the new build gave it
	// Background says that standard output and error are the log, though they may be
	// a file that has been rotated by now.
	Background bool `json:"background,omitempty"`
}

// workload is what a slot runs.
type workload struct {
	Worker     string
	Instance   int // from 1
	Assignment Assignment
	Build      *build
	Settings   config.Worker                  // of the process: limits, restarts and so on
	Baton      func() (Baton, []program.Kept) // what goes with the order to open; nil for workers
}
