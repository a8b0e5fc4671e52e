package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// agent is the worker's end of a control session.
type agent struct {
	control *rpc.Endpoint
	session *rpc.Session
	runtime atomic.Pointer[sandbox.Runtime] // nil before the assignment was read
	cut     context.CancelFunc              // ends the drain deadline early
	cutCtx  context.Context
	drained chan struct{} // closed when the drain's report is known
}

// errNoRuntime answers orders that come before the worker has its assignment.
var errNoRuntime = errors.New("the worker has not begun")

func newAgent(log *slog.Logger) (*agent, error) {
	e, err := rpc.New(rpc.Config{Name: "control", Logger: log})
	if err != nil {
		return nil, fmt.Errorf("cannot make the control endpoint: %w", err)
	}
	a := &agent{control: e, drained: make(chan struct{})}
	a.cutCtx, a.cut = context.WithCancel(context.Background())
	return a, errors.Join(
		rpc.Handle(e, routeOpen, a.onOpen),
		rpc.Handle(e, routeDrain, a.onDrain),
		rpc.HandlePush(e, routeCut, a.onCut),
		rpc.Handle(e, routeStart, a.onStart),
		rpc.Handle(e, routeStop, a.onStop),
		rpc.Handle(e, routeRestart, a.onRestart),
		rpc.Handle(e, routeLevel, a.onLevel),
	)
}

// greet begins the session and asks for the assignment.
func (a *agent) greet(ctx context.Context, conn net.Conn) (as Assignment, err error) {
	if a.session, err = a.control.ServeConn(conn); err != nil {
		return as, fmt.Errorf("cannot begin the control session: %w", err)
	}
	hello := helloRequest{Protocol: controlProtocol, Pid: os.Getpid()}
	if err := a.session.Call(ctx, routeHello, hello, &as); err != nil {
		return as, fmt.Errorf("cannot get an assignment: %w", err)
	}
	return as, nil
}

// report passes a sandbox's state on. The master may be gone; then nobody asks.
func (a *agent) report(s sandbox.Status) { reportState(a.session, s) }

// reportLimit is how long a master may take to note a state. A sandbox's own
// progress waits for it, because what it answers afterwards must not be known
// earlier than its state.
const reportLimit = time.Second

func reportState(to *rpc.Session, s sandbox.Status) {
	ctx, cancel := context.WithTimeout(context.Background(), reportLimit)
	defer cancel()
	_ = to.Call(ctx, routeState, s, nil)
}

// sayReady tells the master that all sandboxes are ready.
func (a *agent) sayReady(ctx context.Context) error {
	return a.session.Call(ctx, routeReady, struct{}{}, nil)
}

// sayFailed tells the master why the start has failed. If it cannot be told, the
// exit code has to do.
func (a *agent) sayFailed(ctx context.Context, err error) {
	_ = a.session.Call(ctx, routeFailed, failure{Error: err.Error()}, nil)
}

func (a *agent) onOpen(rpc.Context, Baton) (struct{}, error) {
	rt := a.runtime.Load()
	if rt == nil {
		return struct{}{}, onWire(errNoRuntime)
	}
	rt.Open()
	return struct{}{}, nil
}

func (a *agent) onDrain(_ rpc.Context, q drainRequest) (sandbox.Report, error) {
	defer close(a.drained)
	rt := a.runtime.Load()
	if rt == nil {
		return sandbox.Report{}, nil
	}
	ctx, cancel := context.WithTimeout(a.cutCtx, q.Timeout)
	defer cancel()
	return rt.Drain(ctx), nil
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
