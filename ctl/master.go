package ctl

import "context"

// Master is what a [Server] serves. Methods may run concurrently. An error that
// wraps one of the package's sentinels becomes the HTTP status and code that say
// the same, any other 500; [Problemf] makes such an error with a hint.
type Master interface {
	Viewer
	Operator
	Watcher
	Supervisor
}

// Viewer tells what is. Lists come in a defined order.
type Viewer interface {
	Info(ctx context.Context) Info
	Sandboxes(ctx context.Context) []Sandbox
	Workers(ctx context.Context, usage bool) []Worker
	Inspect(ctx context.Context) Inspection
}

// Operator changes what is. ctx ends when the caller leaves: that ends the
// wait, never the work. The server has checked that names and levels are there
// where they are needed; whether they exist is for the master to say.
type Operator interface {
	// Reload answers with a result, and no error, whenever a reload was decided
	// on, however it went.
	Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error)
	Start(ctx context.Context, r ActionRequest) (ActionResult, error)
	// Stop without names returns when everything is down but the control
	// server: the process ends after this very answer was written.
	Stop(ctx context.Context, r ActionRequest) (ActionResult, error)
	Restart(ctx context.Context, r ActionRequest) (ActionResult, error)
	LogLevel(ctx context.Context, r ActionRequest) (ActionResult, error)
}

// Watcher streams what happens. emit is called from one goroutine at a time; it
// fails once the caller has left, and then the method returns.
type Watcher interface {
	// Events calls emit for each event after the one with ID since, oldest
	// first, as far back as the master remembers (1,024), then for each new one
	// until ctx ends. A since above the newest ID comes from an earlier master:
	// it counts as 0.
	Events(ctx context.Context, since uint64, emit func(Event) error) error
	// Logs calls emit for each selected line, oldest first; with Follow it goes
	// on until ctx ends. An offset in After beyond the end of its log counts as that
	// end.
	Logs(ctx context.Context, q LogQuery, emit func(LogLine) error) error
}

// Supervisor looks after programs, and after the master's own build. What is said
// of [Operator] holds here too. Start, Stop, Restart and Reload of an Operator
// take the names of programs as well; Signal, Scale and Reset those of workers.
type Supervisor interface {
	// Programs lists all programs, in the order of the configuration.
	Programs(ctx context.Context, d Detail) []Program
	// Signal sends a signal to the main process of every instance that has one.
	Signal(ctx context.Context, r SignalRequest) (ActionResult, error)
	// Scale starts or stops instances until there are as many as asked for, and
	// answers when the new ones are ready and the others gone.
	Scale(ctx context.Context, r ScaleRequest) (ActionResult, error)
	// Reset brings programs out of the state fatal, starts them, and forgets how
	// often they were restarted.
	Reset(ctx context.Context, r ActionRequest) (ActionResult, error)
	// Upgrade puts another build in the place of the running master. Like Reload it
	// answers with a result, and no error, once an upgrade was decided on. The
	// process is another program when it succeeds in place: so it returns
	// [OutcomeMoved] before that, once [Server.Drain] is done, or not at all; and the
	// new image is asked with Resume.
	Upgrade(ctx context.Context, r UpgradeRequest) (UpgradeResult, error)
}

// Detail says what a list of programs is to tell beyond the state.
type Detail struct {
	Usage   bool   // what the processes use now; costs some 0.1 ms a process
	History bool   // the last runs
	Name    string // only of this program; the others are listed without details. Empty: of all
}
