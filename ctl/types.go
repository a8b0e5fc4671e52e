package ctl

import "time"

// Info is one running master: GET /v1/info.
type Info struct {
	Name       string    `json:"name"`
	Mode       string    `json:"mode"`  // single or multi
	State      string    `json:"state"` // starting, running, reloading, stopping
	Pid        int       `json:"pid"`
	Build      Build     `json:"build"`
	Started    time.Time `json:"started"`    // of this process
	Generation int       `json:"generation"` // counts reloads that were committed, from 1
	ConfigFile string    `json:"config_file,omitempty"`
	RuntimeDir string    `json:"runtime_dir"`
	LogFile    string    `json:"log_file"`
	Reloads    Reloads   `json:"reloads"`
}

// Reloads counts what reloads did since the master started; in single mode the
// counts go on over a reload.
type Reloads struct {
	Done   int `json:"done"`
	Failed int `json:"failed"`
	Cut    int `json:"cut"` // requests and sessions that were cut at a drain deadline
}

// Build tells which code a process runs.
type Build struct {
	ID     string `json:"id"`     // of the executable's content; equal IDs are equal builds
	Path   string `json:"path"`   // of the executable, absolute
	Module string `json:"module"` // main package path
	Go     string `json:"go"`     // Go version
}

// Sandbox is one sandbox as the master sees it: GET /v1/sandboxes.
type Sandbox struct {
	Name      string    `json:"name"`
	State     string    `json:"state"` // see sandbox.State
	Worker    string    `json:"worker"`
	Instances []Place   `json:"instances"` // one for each process that runs it, by instance
	Listen    []string  `json:"listen"`    // resolved addresses, tcp://127.0.0.1:9091
	Level     string    `json:"level"`
	Restarts  int       `json:"restarts"` // of the sandbox, not of its worker
	Since     time.Time `json:"since"`    // of State
	Error     string    `json:"error,omitempty"`
}

// Place is one process that runs a sandbox.
type Place struct {
	Instance   int    `json:"instance"` // from 1
	Pid        int    `json:"pid"`
	Generation int    `json:"generation"`
	State      string `json:"state"` // of the sandbox in this process
	Error      string `json:"error,omitempty"`
}

// Worker is one process that hosts sandboxes: GET /v1/workers. In single mode
// it is the master itself.
type Worker struct {
	Name       string    `json:"name"`
	Instance   int       `json:"instance"`
	Generation int       `json:"generation"`
	State      string    `json:"state"` // starting, ready, serving, draining, backoff, gone
	Pid        int       `json:"pid,omitempty"`
	Build      string    `json:"build"` // Build.ID
	Started    time.Time `json:"started"`
	Restarts   int       `json:"restarts"` // after crashes, since the last reload
	Sandboxes  []string  `json:"sandboxes"`
	Usage      *Usage    `json:"usage,omitempty"` // with ?usage=1 only
	Error      string    `json:"error,omitempty"` // why it last ended, if it crashed
}

// Program is one program as the master sees it: GET /v1/programs.
type Program struct {
	Name      string            `json:"name"`
	State     string            `json:"state"`   // of the instance that is worst off; see host/program.State
	Wanted    bool              `json:"wanted"`  // it is to run
	Command   []string          `json:"command"` // as configured
	Group     string            `json:"group,omitempty"`
	Listen    []string          `json:"listen,omitempty"` // resolved addresses
	Instances []ProgramInstance `json:"instances"`
}

// ProgramInstance is one place for a process of a program.
type ProgramInstance struct {
	Instance   int       `json:"instance"`   // from 1
	Generation int       `json:"generation"` // counts starts, from 1
	State      string    `json:"state"`      // stopped, starting, ready, backoff, stopping, exited or fatal
	Pid        int       `json:"pid,omitempty"`
	Since      time.Time `json:"since"`             // of State
	Restarts   int       `json:"restarts"`          // by the master, since somebody last started it
	Next       time.Time `json:"next,omitzero"`     // in backoff: of the next start
	Reason     string    `json:"reason,omitempty"`  // why it is in this state
	By         string    `json:"by,omitempty"`      // who asked for it: start, stop, restart, reload, policy, probe, limit and so on
	Output     []string  `json:"output,omitempty"`  // in fatal: its last lines
	History    []Run     `json:"history,omitempty"` // with ?history=1: the last runs, oldest first
	Usage      *Usage    `json:"usage,omitempty"`   // with ?usage=1 only
}

// Run is one run of a process that is over.
type Run struct {
	Generation int       `json:"generation"`
	Pid        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Code       int       `json:"code"`             // exit code; -1 if a signal ended it or it is unknown
	Signal     string    `json:"signal,omitempty"` // that ended it
	Cause      string    `json:"cause"`            // such as: exit status 3, signal: killed (out of memory), spawn: no such file
	By         string    `json:"by,omitempty"`     // who asked for the end; empty if it ended by itself
	Swept      int       `json:"swept,omitempty"`  // processes that it left behind and that were killed
}

// Usage is what a process uses now.
type Usage struct {
	RSS     uint64  `json:"rss"`     // bytes
	CPU     float64 `json:"cpu"`     // percent of one core since the process started
	Files   int32   `json:"files"`   // open file descriptors
	Threads int32   `json:"threads"` // OS threads
}

// ReloadRequest is the body of POST /v1/reload.
type ReloadRequest struct {
	Names  []string `json:"names,omitempty"`   // sandboxes and programs; none means everything
	Binary string   `json:"binary,omitempty"`  // the new build; default: the path the master was started from
	DryRun bool     `json:"dry_run,omitempty"` // only say what would happen
	Resume int      `json:"resume,omitempty"`  // only ask for the outcome of the reload with this ID; see [OutcomeMoved]
}

// OutcomeMoved is the outcome of a reload or an upgrade that waited in a process
// which has been succeeded by another one. That one goes on with it: ask again
// with Resume set to the ID of the result. The [Client] does so by itself.
const OutcomeMoved = "moved"

// ReloadResult tells how a reload went.
type ReloadResult struct {
	ID         int           `json:"id"`
	Outcome    string        `json:"outcome"`              // committed, refused, rolled_back, planned, or moved: see [OutcomeMoved]
	Superseded bool          `json:"superseded,omitempty"` // the answer is that of the later reload ID
	Queued     bool          `json:"queued,omitempty"`     // it waited for another reload
	Plan       []string      `json:"plan,omitempty"`       // what changes, a sentence each
	Build      Build         `json:"build"`                // the new build
	Ready      time.Duration `json:"ready_ns"`             // from the decision to ready
	Took       time.Duration `json:"took_ns"`              // from the decision to commit
	Error      string        `json:"error,omitempty"`
	Output     []string      `json:"output,omitempty"`  // last output lines of what failed
	Remarks    []string      `json:"remarks,omitempty"` // such as: the master still runs the old build
}

// ActionRequest is the body of POST /v1/start, /v1/stop, /v1/restart, /v1/reset
// and /v1/loglevel.
type ActionRequest struct {
	Names []string `json:"names,omitempty"` // sandboxes and programs, for reset programs and workers; for stop none means the whole master
	Drain bool     `json:"drain,omitempty"` // stop: take the drain time limit instead of the stop limit (quit)
	Level string   `json:"level,omitempty"` // loglevel: debug, info, warn, error
}

// ActionResult tells what an action did, one entry a sandbox or program (or one
// for the whole master).
type ActionResult struct {
	Results []Action `json:"results"`
	Cut     []string `json:"cut,omitempty"` // what was cut or did not stop, by name
}

// Action is what happened to one name.
type Action struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Error string `json:"error,omitempty"`
}

// SignalRequest is the body of POST /v1/signal.
type SignalRequest struct {
	Names  []string `json:"names"`  // programs or workers
	Signal string   `json:"signal"` // HUP, SIGHUP or 1
}

// ScaleRequest is the body of POST /v1/scale.
type ScaleRequest struct {
	Name      string `json:"name"`      // of a program or a worker
	Instances int    `json:"instances"` // from 0 to [MaxInstances]; not left out
}

// UpgradeRequest is the body of POST /v1/upgrade.
//
// An upgrade in place may cut the connection that asked for it, for the process
// becomes another program. So the caller chooses the ID, and asks the new image
// with Resume how it went. [Client.Upgrade] does so by itself.
type UpgradeRequest struct {
	Binary string `json:"binary,omitempty"` // default: the path the master was started from
	ID     int    `json:"id,omitempty"`     // from 1, unlike that of any other upgrade; 0: the master takes one
	Resume int    `json:"resume,omitempty"` // only ask for the outcome of the upgrade with this ID; not found if it is unknown
}

// UpgradeResult tells how an upgrade of the master went.
type UpgradeResult struct {
	ID      int           `json:"id"`      // of the request
	Outcome string        `json:"outcome"` // committed, refused, rolled_back, or moved: see [OutcomeMoved]
	Build   Build         `json:"build"`   // that the master runs now
	Pid     int           `json:"pid"`
	Gap     time.Duration `json:"gap_ns"` // in which the master did not look after its processes
	Error   string        `json:"error,omitempty"`
	Output  []string      `json:"output,omitempty"` // what the new build said
}

// Inspection is everything there is to know: GET /v1/inspect.
type Inspection struct {
	Info      Info      `json:"info"`
	Sandboxes []Sandbox `json:"sandboxes"`
	Workers   []Worker  `json:"workers"`
	Programs  []Program `json:"programs,omitempty"`
	Sockets   []Socket  `json:"sockets"`
	Runtime   Runtime   `json:"runtime"`
}

// Socket is a listening socket that the master owns.
type Socket struct {
	Sandbox string `json:"sandbox"` // sandbox or program that it is for
	Name    string `json:"name"`    // listen name or index
	Address string `json:"address"` // resolved, tcp://127.0.0.1:9091
}

// Runtime tells what the master process itself uses.
type Runtime struct {
	Goroutines int    `json:"goroutines"`
	Files      int    `json:"files"`
	Heap       uint64 `json:"heap"` // bytes
	RSS        uint64 `json:"rss"`  // bytes
}

// Event is one thing that happened: GET /v1/events, a stream of NDJSON.
type Event struct {
	ID   uint64            `json:"id"` // rises by one; go on with ?since=ID
	Time time.Time         `json:"time"`
	Kind string            `json:"kind"` // such as sandbox_state, worker_exit, reload_done
	Name string            `json:"name,omitempty"`
	Text string            `json:"text"` // for people
	Data map[string]string `json:"data,omitempty"`
}
