package ctl

import "context"

// Master is what a [Server] serves. Methods may run concurrently; each ends
// early when its context does. Errors that wrap one of the package's sentinels
// become the HTTP status that says the same; any other becomes 500.
type Master interface {
	Viewer
	Operator
	Watcher
}

// Viewer tells what is.
type Viewer interface {
	Info(ctx context.Context) Info
	Sandboxes(ctx context.Context) []Sandbox
	Workers(ctx context.Context, usage bool) []Worker
	Inspect(ctx context.Context) Inspection
}

// Operator changes what is.
type Operator interface {
	Reload(ctx context.Context, r ReloadRequest) (ReloadResult, error)
	Start(ctx context.Context, r ActionRequest) (ActionResult, error)
	Stop(ctx context.Context, r ActionRequest) (ActionResult, error)
	Restart(ctx context.Context, r ActionRequest) (ActionResult, error)
	LogLevel(ctx context.Context, r ActionRequest) (ActionResult, error)
}

// Watcher streams what happens.
type Watcher interface {
	// Events calls emit for each event after the one with ID since, oldest
	// first, as far back as the master remembers (1,024), then for each new one.
	Events(ctx context.Context, since uint64, emit func(Event) error) error
	// Logs calls emit for each selected line, oldest first.
	Logs(ctx context.Context, q LogQuery, emit func(LogLine) error) error
}
