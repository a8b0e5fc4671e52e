package host

import (
	"context"
	"log/slog"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/sandbox"
)

// runner starts instances. There are three, and nothing above them knows which
// one it has: in this process (localRunner), in a process of its own
// (processRunner), and the whole process anew (flipRunner).
type runner interface {
	// start begins one run of a workload. The result is starting; it tells by
	// its channels how it goes on. ctx bounds the start itself only.
	start(ctx context.Context, w workload, watch observer) (instance, error)
}

// observer is told of every state change of a sandbox, in order for each.
type observer func(sandbox.Status)

// instance is one run of a workload.
type instance interface {
	lifecycle
	sandboxes
}

// lifecycle is what the generation that owns an instance does with it.
type lifecycle interface {
	// Ready is closed once all sandboxes are ready. It stays open if they never are.
	Ready() <-chan struct{}
	// Open lets the instance accept: it was chosen to serve.
	Open(ctx context.Context) error
	// Drain makes it take nothing new, finish, and end. ctx's end is the drain
	// deadline; what was cut then is in the report.
	Drain(ctx context.Context) sandbox.Report
	// Kill ends it at once and returns when it has gone.
	Kill()
	// Done is closed when it has ended.
	Done() <-chan struct{}
	// Exit tells how it ended; valid after Done.
	Exit() exit
}

// sandboxes is what can be done to single sandboxes of an instance.
type sandboxes interface {
	Pid() int
	Start(ctx context.Context, sandbox string) error
	Stop(ctx context.Context, sandbox string) (sandbox.Report, error)
	Restart(ctx context.Context, sandbox string) (sandbox.Report, error)
	SetLevel(ctx context.Context, sandbox string, level slog.Level) error
}

// exit is how an instance ended.
type exit struct {
	Cause string   // such as "exit status 3" or "signal: killed"; empty if it was told to end and did
	Tail  []string // last output lines

	// Process is how the process ended; zero if there was none of its own.
	Process supervise.Exit
}
