package config

import "time"

// Program is any executable that the master keeps running.
type Program struct {
	// Name of the program: 1 to 63 of a-z, 0-9 and -; no sandbox and no worker
	// has it as well.
	Name string
	// Command is the program and its arguments. A program without a slash is looked
	// for in PATH, a relative one lies beside the configuration file. Needed.
	Command []string
	// Instances is how many processes of it run, 0 to 1024. Default: 1.
	Instances int
	// Autostart says that it is started with the master. Default: true.
	Autostart bool
	// Essential says that the master ends, with the program's exit code, when the
	// program has ended for good. Default: false.
	Essential bool
	// Group is the [Group] that it belongs to. Default: none.
	Group string
	// Needs says what must have come how far before it is started, in the order of
	// the file. At a stop, what needs goes before what is needed. Default: nothing.
	Needs []Need
	// Follow says that it is restarted when something it needs was restarted.
	// Default: false.
	Follow bool
	// Listen are its sockets, which it gets as LISTEN_FDS. Default: none.
	Listen []Listen

	// Ready says when a start counts as done. Default: started.
	Ready Probe
	// StartTimeout is how long that may take. Default: the instance's ReadyTimeout.
	StartTimeout time.Duration
	// Live is how it is watched while it runs. Default: not at all.
	Live Liveness
	// Watchdog is how often the program has to say WATCHDOG=1; it is told so by
	// WATCHDOG_USEC. Default: 0, never.
	Watchdog time.Duration

	// Reload says how new code and configuration get in. Default: replace with
	// sockets, restart without.
	Reload Reload
	// Batch is how many instances are replaced or restarted at a time. Default: 1.
	Batch int
	// Stop is how it is asked to end, step by step; then it is killed. Default:
	// TERM, and the instance's StopTimeout.
	Stop []StopStep

	// PreStart runs before each start, and its failure is that of the start;
	// PostStop after each end; OnFatal when it is given up. Default: none.
	PreStart, PostStop, OnFatal []string

	Process Process
	Keep    Keep
	Recycle Recycle
	Output  Output
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
	Kind    ProbeKind
	Address string   // of tcp and unix: HOST:PORT or a path; of http: the URL
	Command []string // of exec; exit code 0 is a yes
	Pattern string   // of log: a regular expression that a line of output matches
	FD      int      // of newline: the descriptor on which the program writes one, from 3
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
	Probe Probe // ProbeStarted: not at all
	// Interval between questions. Default: 10s.
	Interval time.Duration
	// Timeout of one question. Default: 3s.
	Timeout time.Duration
	// Failures in a row until something is done. Default: 3.
	Failures int
	// Grace after ready in which failures do not count. Default: 0.
	Grace time.Duration
	// Action is what is done. Default: restart.
	Action Reload
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
	Signal  string   // such as TERM; empty with a command
	Command []string // gets MAINPID in its environment
	Wait    time.Duration
}

// Process is what a process is allowed and what it sees: of a program, and of a
// worker.
type Process struct {
	// Dir is the working directory. Default: that of the configuration file.
	Dir string
	// User and Group are names or numbers. Default: those of the master.
	User, Group string
	// Groups are supplementary groups. Default: those of User, none without one.
	Groups []string
	// Umask, or -1 for that of the master. Default: -1.
	Umask int
	// Inherit says which variables of the master's environment it sees: all with
	// ["*"], else those named. Default: all.
	Inherit []string
	// EnvFiles hold NAME=value lines; they are read at each start. Default: none.
	EnvFiles []string
	// Env are variables, which win over all others. Default: none.
	Env map[string]string
	// Secrets are variables whose values are the contents of files, without the
	// last newline; they are read at each start. Default: none.
	Secrets map[string]string
	// Rlimits by the names of ulimit's resources, such as nofile. Default: those of
	// the master.
	Rlimits map[string]Rlimit
	// Nice from -20 to 19. Default: 0, as the master.
	Nice int
	// OOMScoreAdj from -1000 to 1000. Default: 0, as the master.
	OOMScoreAdj int
	// NoNewPrivs keeps it from ever gaining privileges. Default: false.
	NoNewPrivs bool
	// Memory is the most that its process tree may use, in bytes; what uses more is
	// killed. Default: 0, no limit.
	Memory int64
	// MemoryHigh is from where on it is slowed down, and reloaded, before that.
	// Default: 0, no limit.
	MemoryHigh int64
	// CPU is how many cores it may use, such as 1.5. Default: 0, no limit.
	CPU float64
	// Pids is how many processes and threads it may have. Default: 0, no limit.
	Pids int
}

// Rlimit is a pair of limits; [Unlimited] is none.
type Rlimit struct {
	Soft, Hard uint64
}

// Unlimited is the value of an [Rlimit] that is none.
const Unlimited = ^uint64(0)

// Keep says what follows when a process ends by itself.
type Keep struct {
	// Restart is the policy. Default: on-failure for programs, always for workers.
	Restart Restart
	// ExitCodes are those that are no failure. Default: 0.
	ExitCodes []int
	// BackoffMin is the wait before the second restart in a row, BackoffMax the
	// longest. Default: 100ms and 30s.
	BackoffMin, BackoffMax time.Duration
	// Stable is the length of a run after which the row begins anew. Default: 10s.
	Stable time.Duration
	// StartLimit is how many starts within StartWindow are tried before it is given
	// up; 0 is any number. Default: 10 in 1m for programs, 0 for workers.
	StartLimit  int
	StartWindow time.Duration
}

// Recycle says when a process is replaced, or restarted, although it is well.
type Recycle struct {
	// MaxAge of a process. Default: 0, any.
	MaxAge time.Duration
	// MaxRequests that a worker has answered. Default: 0, any.
	MaxRequests int64
	// MaxRSS in bytes. Default: 0, any.
	MaxRSS int64
	// Jitter is the part, from 0 to 1, by which each of them is made smaller at
	// random, so that instances do not go together. Default: 0.1.
	Jitter float64
}

// Output says where the output of a program goes.
type Output struct {
	// To says where to. Default: file.
	To OutputTo
	// File is a log of its own, absolute. Default: empty, the log of the instance.
	File string
	// Format of a log of its own. Default: text.
	Format OutputFormat
	// MaxSize, MaxAge, Keep and Compress are about a log of its own. Default: those
	// of Log.
	MaxSize  int64
	MaxAge   time.Duration
	Keep     int
	Compress bool
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
	// Config is its own configuration file. Default: the one beside it.
	Config string
}
