package sandboxtest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/sandbox"
)

// Options says how to run a service. The zero value gives it one TCP socket on a
// free port of 127.0.0.1.
type Options struct {
	Listen       []sandbox.Listen // declared sockets; default one, tcp://127.0.0.1:0
	Config       map[string]any   // what Box.Config reads
	Sockets      *Sockets         // to share with other sandboxes; default: its own
	Logger       *slog.Logger     // default: discard; Run: the test's log
	Closed       bool             // listeners accept only after Sandbox.Open
	StartTimeout time.Duration    // until the service is ready; default 10 s
	DrainTimeout time.Duration    // of the drain at the end of a test; default 10 s
}

func (o Options) withDefaults() Options {
	if o.Listen == nil {
		o.Listen = []sandbox.Listen{{Network: "tcp", Address: "127.0.0.1:0"}}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 10 * time.Second
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 10 * time.Second
	}
	return o
}

// Sandbox is one service that runs.
type Sandbox struct {
	name    string
	runtime *sandbox.Runtime
	sockets *Sockets // to close with it; nil if shared
}

// Start runs s until [Sandbox.Close]; it returns when s is ready. Tests call
// [Run] instead.
func Start(ctx context.Context, s sandbox.Service, o Options) (*Sandbox, error) {
	o = o.withDefaults()
	b := &Sandbox{name: s.Name()}
	if o.Sockets == nil {
		b.sockets = new(Sockets)
		o.Sockets = b.sockets
	}
	var err error
	b.runtime, err = sandbox.NewRuntime([]sandbox.Entry{{
		Name: s.Name(), New: func() sandbox.Service { return s },
		Listen: o.Listen, Config: o.Config, Level: slog.LevelDebug,
		Restart: sandbox.RestartPolicy{When: sandbox.Never},
	}}, sandbox.Env{
		Mode: "single", Sockets: o.Sockets,
		Logger: func(string) *slog.Logger { return o.Logger },
	})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
		defer cancel()
		err = b.runtime.Start(ctx)
	}
	if err != nil {
		if b.sockets != nil {
			_ = b.sockets.Close() // the start's error is the one to report
		}
		return nil, err
	}
	if !o.Closed {
		b.Open()
	}
	return b, nil
}

// Run is [Start] for a test: it ends the test if s does not start, and when the
// test is over it drains s, which must have nothing to cut, must stop, and must
// leave no goroutine behind. Tests that run services must not run in parallel
// with others in one process: goroutines have no owner that could be asked.
func Run(t testing.TB, s sandbox.Service, o Options) *Sandbox {
	t.Helper()
	before := goleak.IgnoreCurrent()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o.Sockets == nil {
		own := new(Sockets)
		o.Sockets = own
		t.Cleanup(func() {
			if err := own.Close(); err != nil {
				t.Error(err)
			}
			if err := goleak.Find(before); err != nil {
				t.Errorf("sandbox %s: %v", s.Name(), err)
			}
		})
	}
	b, err := Start(context.WithoutCancel(t.Context()), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), o.withDefaults().DrainTimeout)
		defer cancel()
		if r := b.Drain(ctx); len(r.Cut)+len(r.Stuck) > 0 {
			t.Errorf("the drain cut %q, stuck are %q", r.Cut, r.Stuck)
		}
	})
	return b
}

// Open lets the listeners accept, if [Options] held them back.
func (b *Sandbox) Open() { b.runtime.Open() }

// Drain stops the service as a reload does; ctx is the drain deadline. After that
// it is not started again, and a second Drain finds nothing to do.
func (b *Sandbox) Drain(ctx context.Context) sandbox.Report { return b.runtime.Drain(ctx) }

// Close drains and closes the sockets, unless they are shared.
func (b *Sandbox) Close(ctx context.Context) error {
	r := b.Drain(ctx)
	if b.sockets != nil {
		if err := b.sockets.Close(); err != nil {
			return err
		}
	}
	if len(r.Cut)+len(r.Stuck) > 0 {
		return fmt.Errorf("the drain of %s cut %q, stuck are %q", b.name, r.Cut, r.Stuck)
	}
	return nil
}

// Restart stops the service and starts the same value again.
func (b *Sandbox) Restart(ctx context.Context) (sandbox.Report, error) {
	return b.runtime.RestartSandbox(ctx, b.name)
}

// Status tells its state.
func (b *Sandbox) Status() sandbox.Status { return b.runtime.Status()[0] }

// Addr is the address of the first socket, without the network: host:port or a
// path. It is empty if the service has opened none.
func (b *Sandbox) Addr() string {
	listen := b.Status().Listen
	if len(listen) == 0 {
		return ""
	}
	_, address, _ := strings.Cut(listen[0], "://")
	return address
}

// logWriter writes lines to a test's log, as long as the test goes on.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}
