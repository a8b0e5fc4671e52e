package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// agent is the worker's end of a control session.
type agent struct {
	control   *rpc.Endpoint
	line      *line
	log       *slog.Logger
	home      Home                            // where it looks for another master
	masterUID int                             // whom that one has to belong to
	runtime   atomic.Pointer[sandbox.Runtime] // nil before the assignment was read
	ready     atomic.Bool
	opened    atomic.Bool
	cut       context.CancelFunc // ends the drain deadline early
	cutCtx    context.Context
	drained   chan struct{}   // closed when the drain's report is known
	alone     context.Context // ends when the worker has to end without a master
	leave     context.CancelFunc

	draining atomic.Bool
	drain    func(timeout time.Duration) sandbox.Report // drains once
}

// errNoRuntime answers orders that come before the worker has its assignment.
var errNoRuntime = errors.New("the worker has not begun")

func newAgent(log *slog.Logger) (*agent, error) {
	e, err := rpc.New(rpc.Config{Name: "control", Logger: log})
	if err != nil {
		return nil, fmt.Errorf("cannot make the control endpoint: %w", err)
	}
	a := &agent{control: e, line: newLine(), log: log, drained: make(chan struct{})}
	a.cutCtx, a.cut = context.WithCancel(context.Background())
	a.alone, a.leave = context.WithCancel(context.Background())
	a.drain = a.drainOnce()
	return a, errors.Join(
		rpc.Handle(e, routeOpen, a.onOpen),
		rpc.Handle(e, routeDrain, a.onDrain),
		rpc.HandlePush(e, routeCut, a.onCut),
		rpc.Handle(e, routeStart, a.onStart),
		rpc.Handle(e, routeStop, a.onStop),
		rpc.Handle(e, routeRestart, a.onRestart),
		rpc.Handle(e, routeLevel, a.onLevel),
		rpc.Handle(e, routeServed, a.onServed),
	)
}

// greet begins the first session and asks for the assignment.
func (a *agent) greet(ctx context.Context, conn net.Conn) (Assignment, error) {
	as, err := a.meet(ctx, conn, nil)
	a.home = as.Home
	return as, err
}

// meet begins a session with a master and goes on with it.
func (a *agent) meet(ctx context.Context, conn net.Conn, p *presence) (as Assignment, err error) {
	session, err := a.control.ServeConn(conn)
	if err != nil {
		return as, fmt.Errorf("cannot begin the control session: %w", err)
	}
	hello := helloRequest{Protocol: controlProtocol, Pid: os.Getpid(), Presence: p}
	if err := session.Call(ctx, routeHello, hello, &as); err != nil {
		_ = session.Close() // it is of no use
		return as, fmt.Errorf("cannot get an assignment: %w", err)
	}
	a.line.renew(session)
	return as, nil
}

// report passes a sandbox's state on. The master may be gone; the next one is told
// all states at once.
func (a *agent) report(s sandbox.Status) {
	if session, _ := a.line.current(); a.alone.Err() != nil && isClosed(session.Done()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportLimit)
	defer cancel()
	_ = a.line.call(ctx, routeState, s, nil)
}

// reportLimit is how long a master may take to note a state. A sandbox's own
// progress waits for it, because what it answers afterwards must not be known
// earlier than its state.
const reportLimit = time.Second

// sayReady tells the master that all sandboxes are ready.
func (a *agent) sayReady(ctx context.Context) error {
	a.ready.Store(true)
	return a.line.call(ctx, routeReady, struct{}{}, nil)
}

// sayFailed tells the master why the start has failed. If it cannot be told, the
// exit code has to do.
func (a *agent) sayFailed(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	_ = a.line.call(ctx, routeFailed, failure{Error: err.Error()}, nil)
}

// presence tells a master that comes new how far this worker is.
func (a *agent) presence() *presence {
	p := &presence{Ready: a.ready.Load(), Open: a.opened.Load(), Draining: a.draining.Load()}
	if rt := a.runtime.Load(); rt != nil {
		p.Sandboxes = rt.Status()
	}
	return p
}

func (a *agent) onOpen(rpc.Context, Baton) (struct{}, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return struct{}{}, onWire(errNoRuntime)
	}
	rt.Open()
	a.opened.Store(true)
	return struct{}{}, nil
}

func (a *agent) onDrain(_ rpc.Context, q drainRequest) (sandbox.Report, error) {
	return a.drain(q.Timeout), nil
}

// drainOnce gives what drains the runtime. Who asks again, because the master has
// changed meanwhile, gets the same report.
func (a *agent) drainOnce() func(time.Duration) sandbox.Report {
	var once sync.Once
	var report sandbox.Report
	return func(timeout time.Duration) sandbox.Report {
		once.Do(func() {
			defer close(a.drained)
			a.draining.Store(true)
			if rt := a.runtime.Load(); rt != nil {
				ctx, cancel := context.WithTimeout(a.cutCtx, timeout)
				defer cancel()
				report = rt.Drain(ctx)
			}
		})
		return report
	}
}

func (a *agent) onCut(rpc.Context, struct{}) error {
	a.cut()
	return nil
}

func (a *agent) onStart(ctx rpc.Context, q nameRequest) (struct{}, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return struct{}{}, onWire(errNoRuntime)
	}
	return struct{}{}, onWire(rt.StartSandbox(ctx, q.Name))
}

func (a *agent) onStop(_ rpc.Context, q nameRequest) (sandbox.Report, error) {
	return a.withReport(q, (*sandbox.Runtime).StopSandbox)
}

func (a *agent) onRestart(_ rpc.Context, q nameRequest) (sandbox.Report, error) {
	return a.withReport(q, (*sandbox.Runtime).RestartSandbox)
}

func (a *agent) withReport(q nameRequest, do func(*sandbox.Runtime, context.Context, string) (sandbox.Report, error)) (sandbox.Report, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return sandbox.Report{}, onWire(errNoRuntime)
	}
	timeout := q.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(a.cutCtx, timeout)
	defer cancel()
	report, err := do(rt, ctx, q.Name)
	return report, onWire(err)
}

func (a *agent) onLevel(_ rpc.Context, q levelRequest) (struct{}, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return struct{}{}, onWire(errNoRuntime)
	}
	return struct{}{}, onWire(rt.SetLevel(q.Name, q.Level))
}

func (a *agent) onServed(rpc.Context, struct{}) (int64, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return 0, onWire(errNoRuntime)
	}
	return rt.Served(), nil
}
