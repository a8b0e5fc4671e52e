package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dserver/dserver/host/cli"
	"github.com/dserver/dserver/host/reexec"
)

// exitFailed is the exit code of what failed; see package cli for all of them.
const exitFailed = 1

// Main does what the command line says and returns the exit code:
//
//	os.Exit(app.Main())
//
// The same executable is the command that people type, the master, and each of
// its workers; a worker is told by its environment.
func (a *App) Main() int {
	ctx := context.Background()
	if taken, ok, err := reexec.Take(); ok || err != nil {
		return a.goOn(ctx, taken, err)
	}
	if isWorker() {
		return a.work(ctx, os.Stderr)
	}
	if isSuccessor() {
		return a.succeed(ctx)
	}
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	return a.Run(ctx, os.Args[1:], streams)
}

// succeed makes this process the successor of the master that started it. The
// arguments that it has from there say nothing.
func (a *App) succeed(ctx context.Context) int {
	m, err := newSuccessor(ctx, a, os.Stdout, os.Stderr)
	if err == nil {
		err = m.run(ctx)
	}
	return endOf(err)
}

// goOn makes this process, which was a master as another image, the same master
// once more.
func (a *App) goOn(ctx context.Context, t *reexec.Taken, err error) int {
	var m *master
	if err == nil {
		m, err = newReborn(ctx, a, t, os.Stdout, os.Stderr)
	}
	if err != nil {
		err = errors.Join(err, t.Back(err))
	} else {
		err = m.run(ctx)
	}
	return endOf(err)
}

// endOf gives the exit code of a master that no verb has made, and says why it has
// ended unless that was said already.
func endOf(err error) int {
	if err == nil {
		return 0
	}
	if code, told := errors.AsType[cli.Exit](err); told {
		return code.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	return exitFailed
}

// Run is Main with everything given: it carries out one verb and returns its
// exit code. The verb start makes the calling process a master; in single mode
// its arguments must be those of the process.
func (a *App) Run(ctx context.Context, args []string, streams cli.Streams) int {
	about := cli.App{Name: a.name, Short: a.short, Demo: a.demo != nil, DemoHint: a.demoHint}
	return cli.Main(ctx, args, streams, about, &command{app: a, args: args})
}
