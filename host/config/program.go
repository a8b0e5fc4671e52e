package config

import "time"

// Program is any executable that the master keeps running. As JSON it is written
// without what is zero: there may be thousands, each is in state.json, and a field
// that is new does not change the hash of a configuration that has no use for it.
type Program struct {
	// Name of the program: 1 to 63 of a-z, 0-9 and -. Sandboxes, workers, groups and
	// apps have other names.
	Name string `json:",omitzero"`
	// Command is the executable, as an absolute path, and its arguments. In a file a
	// name without a slash is looked for in PATH, and a relative path lies beside
	// the configuration file; so it is with all commands. Needed.
	Command []string `json:",omitzero"`
	// Instances is how many processes of it run, 0 to 1024. Default: 1.
	Instances int `json:",omitzero"`
	// Autostart says that it is started with the master. Default: true.
	Autostart bool `json:",omitzero"`
	// Essential says that the master ends, with the program's exit code, when the
	// program has ended for good. Default: false.
	Essential bool `json:",omitzero"`
	// Group is the [Group] that it belongs to. Default: none.
	Group string `json:",omitzero"`
	// Needs says what must have come how far before it is started, in the order of
	// the file. At a stop, what needs goes before what is needed. Default: nothing.
	Needs []Need `json:",omitzero"`
	// Follow says that it is restarted when something it needs was restarted.
	// Default: false.
	Follow bool `json:",omitzero"`
	// Listen are its sockets, which it gets as LISTEN_FDS. Default: none.
	Listen []Listen `json:",omitzero"`

	// Ready says when a start counts as done. Default: started.
	Ready Probe `json:",omitzero"`
	// StartTimeout is how long that may take. Default: the instance's ReadyTimeout.
	StartTimeout time.Duration `json:",omitzero"`
	// Live is how it is watched while it runs. Default: not at all.
	Live Liveness `json:",omitzero"`
	// Watchdog is how often the program has to say WATCHDOG=1; it is told so by
	// WATCHDOG_USEC. Default: 0, never.
	Watchdog time.Duration `json:",omitzero"`

	// Reload says how new code and configuration get in. Default: replace with
	// sockets, restart without.
	Reload Reload `json:",omitzero"`
	// Batch is how many instances are replaced or restarted at a time. Default: 1.
	Batch int `json:",omitzero"`
	// Stop is how it is asked to end, step by step; then it is killed. Never empty.
	// Default: TERM, and the instance's StopTimeout.
	Stop []StopStep `json:",omitzero"`

	// PreStart runs before each start, and its failure is that of the start;
	// PostStop after each end; OnFatal when it is given up. Default: none.
	PreStart, PostStop, OnFatal []string `json:",omitzero"`

	Process Process `json:",omitzero"`
	Keep    Keep    `json:",omitzero"`
	Recycle Recycle `json:",omitzero"`
	Output  Output  `json:",omitzero"`
}

// Need is one dependency of a program or a worker.
type Need struct {
	Name      string // of a program or a worker
	Condition Condition
}

// Condition is how far something that is needed must have come.
type Condition string

// The conditions.
const (
	NeedStarted   Condition = "started"   // its process runs
	NeedReady     Condition = "ready"     // it is ready
	NeedCompleted Condition = "completed" // it has ended with an expected exit code
)

// Group is a set of programs that stand or fall together: [group.NAME].
type Group struct {
	Name string
	// Strategy says what is restarted when one of them ends by itself. Default: one.
	Strategy Strategy
}

// Strategy says what of a group is restarted when one program ends by itself.
type Strategy string

// The strategies.
const (
	StrategyOne  Strategy = "one"  // that one alone
	StrategyRest Strategy = "rest" // that one and those after it in the file
	StrategyAll  Strategy = "all"  // all of them
)

// Probe is a question whether a program is well.
type Probe struct {
	Kind    ProbeKind `json:",omitzero"`
	Address string    `json:",omitzero"` // of tcp: HOST:PORT; of unix: a path, see [Config.Resolve]; of http: the URL
	Command []string  `json:",omitzero"` // of exec; exit code 0 is a yes
	Pattern string    `json:",omitzero"` // of log: a regular expression that a line of output matches
	FD      int       `json:",omitzero"` // of newline: the descriptor on which the program writes one, from 3

	at string // where it was set, for the errors of Resolve
}

// ProbeKind is how a [Probe] asks.
type ProbeKind string

// The kinds of a probe. Notify, newline, log and started serve for readiness
// alone.
const (
	ProbeStarted ProbeKind = "started" // runs: nothing is asked
	ProbeNotify  ProbeKind = "notify"  // READY=1 on NOTIFY_SOCKET
	ProbeNewline ProbeKind = "newline" // a newline on a descriptor
	ProbeTCP     ProbeKind = "tcp"     // a connection can be made
	ProbeUnix    ProbeKind = "unix"    // likewise
	ProbeHTTP    ProbeKind = "http"    // GET gives a status from 200 to 399
	ProbeExec    ProbeKind = "exec"    // a command exits with 0
	ProbeLog     ProbeKind = "log"     // a line of output matches
)

// Liveness is how a running program is watched.
type Liveness struct {
	Probe Probe `json:",omitzero"` // ProbeStarted: not at all
	// Interval between questions. Default: 10s.
	Interval time.Duration `json:",omitzero"`
	// Timeout of one question. Default: 3s.
	Timeout time.Duration `json:",omitzero"`
	// Failures in a row until something is done. Default: 3.
	Failures int `json:",omitzero"`
	// Grace after ready in which failures do not count. Default: 0.
	Grace time.Duration `json:",omitzero"`
	// Action is what is done. Default: restart.
	Action Reload `json:",omitzero"`
}

// Reload is how a program is brought to new code, or back to health: replace,
// restart, none, or signal:NAME such as signal:HUP.
type Reload string

// The ways of a reload that are no signal.
const (
	ReloadReplace Reload = "replace" // a new process first, then the old one ends
	ReloadRestart Reload = "restart" // the old process ends first
	ReloadNone    Reload = "none"
)

// StopStep is one step of asking a program to end: a signal or a command, and how
// long it has then.
type StopStep struct {
	Signal  string        `json:",omitzero"` // such as TERM, for [ParseSignal]; empty with a command
	Command []string      `json:",omitzero"` // gets MAINPID in its environment
	Wait    time.Duration `json:",omitzero"` // what the command itself takes counts
}

// Output says where the output of a program goes.
type Output struct {
	// To says where to. Default: file.
	To OutputTo `json:",omitzero"`
	// File is a log of its own, absolute, which no other program has. Default: empty,
	// the log of the instance.
	File string `json:",omitzero"`
	// Format of a log of its own. Default: text.
	Format OutputFormat `json:",omitzero"`
	// MaxSize, MaxAge, Keep and Compress are about a log of its own. Default: those
	// of Log.
	MaxSize  int64         `json:",omitzero"`
	MaxAge   time.Duration `json:",omitzero"`
	Keep     int           `json:",omitzero"`
	Compress bool          `json:",omitzero"`
}

// OutputTo is where output goes.
type OutputTo string

// The places that output goes to.
const (
	OutputFile   OutputTo = "file"
	OutputStdout OutputTo = "stdout" // of the master, line by line as it is
	OutputBoth   OutputTo = "both"
	OutputNone   OutputTo = "none"
)

// OutputFormat is the form of a log of its own.
type OutputFormat string

// The forms.
const (
	FormatText OutputFormat = "text" // time, name, stream and text
	FormatJSON OutputFormat = "json" // an object for each line
	FormatRaw  OutputFormat = "raw"  // byte for byte as it was written
)

// App is an application built on this framework, in an executable of its own,
// whose sandboxes run in workers of this master: [app.NAME].
type App struct {
	Name string
	// Command is the executable and its arguments. Needed.
	Command []string
	// Config is its own configuration file. Default: the one beside the executable,
	// or none.
	Config string

	// What follows is about each of its workers. Needs says what must have come how
	// far before they are started. Default: nothing.
	Needs []Need
	// Essential says that the master ends when one of them has been given up.
	// Default: false.
	Essential bool

	Process Process
	Keep    Keep
	Recycle Recycle
}
