package host

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

// localRunner runs workloads in this process.
type localRunner struct {
	group   *group.Group
	runtime func(Assignment, observer) (*sandbox.Runtime, error)
}

func (l *localRunner) start(_ context.Context, w workload, watch observer) (instance, error) {
	rt, err := l.runtime(w.Assignment, watch)
	if err != nil {
		return nil, err
	}
	i := &localInstance{Runtime: rt, ready: make(chan struct{}), done: make(chan struct{})}
	l.group.Go("start sandboxes", i.begin)
	return i, nil
}

// localInstance is a runtime of this process.
type localInstance struct {
	*sandbox.Runtime
	ready chan struct{}
	done  chan struct{}

	endOnce sync.Once
	exit    exit // set before done is closed
}

func (i *localInstance) begin(ctx context.Context) {
	if err := i.Runtime.Start(ctx); err != nil {
		i.end(exit{Cause: err.Error()})
		return
	}
	close(i.ready)
}

func (i *localInstance) end(x exit) {
	i.endOnce.Do(func() {
		i.exit = x
		close(i.done)
	})
}

func (i *localInstance) Pid() int               { return os.Getpid() }
func (i *localInstance) Ready() <-chan struct{} { return i.ready }
func (i *localInstance) Done() <-chan struct{}  { return i.done }
func (i *localInstance) Exit() exit             { return i.exit }

func (i *localInstance) Open(context.Context) error {
	i.Runtime.Open()
	return nil
}

// Drain ends a start that is under way as well: what is told to stop while it gets
// ready has not failed.
func (i *localInstance) Drain(ctx context.Context) sandbox.Report {
	report := i.Runtime.Drain(ctx)
	i.end(exit{})
	return report
}

// Kill cuts everything: what does not return then is named in the log and ends
// with the process.
func (i *localInstance) Kill() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	i.Drain(now)
}

func (i *localInstance) Start(ctx context.Context, name string) error {
	return i.StartSandbox(ctx, name)
}

func (i *localInstance) Stop(ctx context.Context, name string) (sandbox.Report, error) {
	return i.StopSandbox(ctx, name)
}

func (i *localInstance) Restart(ctx context.Context, name string) (sandbox.Report, error) {
	return i.RestartSandbox(ctx, name)
}

func (i *localInstance) SetLevel(_ context.Context, name string, level slog.Level) error {
	return i.Runtime.SetLevel(name, level)
}

var _ instance = (*localInstance)(nil)
