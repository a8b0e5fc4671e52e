package host

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

// behaviour is what a fake instance does, in virtual time.
type behaviour struct {
	cannotStart bool
	readyAfter  time.Duration // 0: at once; negative: never
	diesAfter   time.Duration // 0: never by itself
	openFails   bool
	drainFor    time.Duration // how long what runs takes to finish
}

// fakeRunner starts instances that are nothing but their behaviour: the state
// machine above the runners does not see a difference.
type fakeRunner struct {
	mu      sync.Mutex
	next    []behaviour // of the starts to come; the last one repeats
	started []*fakeInstance
}

func (f *fakeRunner) start(_ context.Context, w workload, _ observer) (instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.next[0]
	if len(f.next) > 1 {
		f.next = f.next[1:]
	}
	if b.cannotStart {
		return nil, errors.New("no such program")
	}
	i := &fakeInstance{behaviour: b, work: w, ready: make(chan struct{}), done: make(chan struct{})}
	f.started = append(f.started, i)
	if b.readyAfter >= 0 {
		time.AfterFunc(b.readyAfter, i.sayReady)
	}
	if b.diesAfter > 0 {
		time.AfterFunc(b.diesAfter, func() { i.end("exit status 7") })
	}
	return i, nil
}

func (f *fakeRunner) instances() []*fakeInstance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*fakeInstance(nil), f.started...)
}

type fakeInstance struct {
	behaviour
	work        workload
	ready, done chan struct{}

	mu     sync.Mutex
	open   bool
	killed bool
	cause  string
}

func (i *fakeInstance) sayReady() {
	select {
	case <-i.done:
	default:
		close(i.ready)
	}
}

func (i *fakeInstance) end(cause string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-i.done:
	default:
		i.cause, i.open = cause, false
		close(i.done)
	}
}

func (i *fakeInstance) accepts() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.open
}

func (i *fakeInstance) Ready() <-chan struct{} { return i.ready }
func (i *fakeInstance) Done() <-chan struct{}  { return i.done }

func (i *fakeInstance) Open(context.Context) error {
	if i.openFails {
		return errors.New("connection closed")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open = true
	return nil
}

func (i *fakeInstance) Drain(ctx context.Context) sandbox.Report {
	i.mu.Lock()
	i.open = false
	i.mu.Unlock()
	var report sandbox.Report
	select {
	case <-time.After(i.drainFor):
	case <-ctx.Done():
		report.Cut = []string{"a request"}
	case <-i.done:
	}
	i.end("")
	return report
}

func (i *fakeInstance) Kill() {
	i.mu.Lock()
	i.killed = true
	i.mu.Unlock()
	i.end("signal: killed")
}

func (i *fakeInstance) Exit() exit {
	i.mu.Lock()
	defer i.mu.Unlock()
	return exit{Cause: i.cause, Tail: []string{"last words"}}
}

func (i *fakeInstance) Pid() int                            { return 1 }
func (i *fakeInstance) Start(context.Context, string) error { return nil }
func (i *fakeInstance) Stop(context.Context, string) (sandbox.Report, error) {
	return sandbox.Report{}, nil
}
func (i *fakeInstance) Restart(context.Context, string) (sandbox.Report, error) {
	return sandbox.Report{}, nil
}
func (i *fakeInstance) SetLevel(context.Context, string, slog.Level) error { return nil }

var _ instance = (*fakeInstance)(nil)

// fakeFleet is a fleet over a fake runner. It is stopped at the end of the test.
func fakeFleet(t *testing.T, behaviours ...behaviour) (*fleet, *fakeRunner) {
	t.Helper()
	r := &fakeRunner{next: behaviours}
	g := group.New(context.Background(), nil)
	l := limits{Ready: 10 * time.Second, Probation: time.Second, Drain: 30 * time.Second, Stop: 10 * time.Second}
	f := newFleet(g, r, newHub(), func() limits { return l })
	t.Cleanup(func() {
		g.Cancel(errStopping)
		f.stop(t.Context(), closed())
		if err := g.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f, r
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// fakeWork is a workload of n instances of one worker.
func fakeWork(t *testing.T, n int) []workload {
	t.Helper()
	b := fakeBuild(t)
	var out []workload
	for i := range n {
		out = append(out, workload{Worker: "w", Instance: i + 1, Build: b, Settings: config.Worker{Keep: config.Keep{Restart: config.RestartAlways}}})
	}
	return out
}

func fakeBuild(t *testing.T) *build {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "build"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return &build{file: file, path: file.Name(), id: func() string { return "fake" }}
}
