package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// remote is the master's end of a control session: an instance that lives in
// another process. How that process is started, killed and watched is for who
// embeds it.
type remote struct {
	work    workload
	watch   observer
	control *rpc.Endpoint
	line    *line
	listen  func(ctx context.Context, r listenRequest) error // opens a socket and passes it on; nil: refused
	hurry   func(limit time.Duration)                        // what drains here gets no more time than that; nil: nothing does

	pid       atomic.Int64 // from hello; 0 before
	failed    atomic.Value // string: why the start failed, in the other side's words
	readyOnce sync.Once
	ready     chan struct{}
	greeted   chan presence // capacity 1: of a worker that comes from another master
}

// errProtocol refuses a worker whose control protocol is too old or too new.
var errProtocol = errors.New("control protocol not supported")

func newRemote(w workload, watch observer, log *slog.Logger) (*remote, error) {
	e, err := rpc.New(rpc.Config{Name: "control", Logger: log})
	if err != nil {
		return nil, fmt.Errorf("cannot make the control endpoint: %w", err)
	}
	r := &remote{work: w, watch: watch, control: e, line: newLine(), ready: make(chan struct{}), greeted: make(chan presence, 1)}
	return r, errors.Join(
		rpc.Handle(e, routeHello, r.onHello, rpc.Ordered()),
		rpc.Handle(e, routeReady, r.onReady, rpc.Ordered()),
		rpc.Handle(e, routeFailed, r.onFailed, rpc.Ordered()),
		rpc.Handle(e, routeState, r.onState, rpc.Ordered()),
		rpc.Handle(e, routeListen, r.onListen),
		rpc.HandlePush(e, routeHurry, r.onHurry),
	)
}

// attach begins a session on the master's end of a socketpair: the first one, or
// one that goes on where another ended.
func (r *remote) attach(conn net.Conn) error {
	session, err := r.control.ServeConn(conn)
	if err != nil {
		return fmt.Errorf("cannot begin the control session: %w", err)
	}
	r.line.renew(session)
	return nil
}

func (r *remote) onHello(_ rpc.Context, q helloRequest) (Assignment, error) {
	if q.Protocol < controlProtocolMin || q.Protocol > controlProtocol {
		return Assignment{}, onWire(fmt.Errorf("%w: the worker speaks %d, the master %d to %d", errProtocol, q.Protocol, controlProtocolMin, controlProtocol))
	}
	r.pid.Store(int64(q.Pid))
	if q.Presence != nil {
		r.welcome(*q.Presence)
	}
	return r.work.Assignment, nil
}

// welcome takes note of a worker that has had another session before.
func (r *remote) welcome(p presence) {
	for _, s := range p.Sandboxes {
		r.watch(s)
	}
	if p.Ready {
		r.readyOnce.Do(func() { close(r.ready) })
	}
	select {
	case r.greeted <- p:
	default: // it was welcomed before
	}
}

func (r *remote) onFailed(_ rpc.Context, f failure) (struct{}, error) {
	r.failed.Store(f.Error)
	return struct{}{}, nil
}

// cause is why the start failed in the other side's words, else what the system said.
func (r *remote) cause(seen string) string {
	if told, ok := r.failed.Load().(string); ok {
		return told
	}
	return seen
}

// Pid is what the other side said; 0 before it said hello.
func (r *remote) Pid() int { return int(r.pid.Load()) }

func (r *remote) onReady(rpc.Context, struct{}) (struct{}, error) {
	r.readyOnce.Do(func() { close(r.ready) })
	return struct{}{}, nil
}

func (r *remote) onState(_ rpc.Context, s sandbox.Status) (struct{}, error) {
	r.watch(s)
	return struct{}{}, nil
}

func (r *remote) onListen(ctx rpc.Context, q listenRequest) (struct{}, error) {
	if r.listen == nil {
		return struct{}{}, onWire(errors.New("sockets cannot be asked for here"))
	}
	return struct{}{}, onWire(r.listen(ctx, q))
}

func (r *remote) onHurry(_ rpc.Context, q drainRequest) error {
	if r.hurry != nil {
		r.hurry(q.Timeout)
	}
	return nil
}

// Ready implements lifecycle.
func (r *remote) Ready() <-chan struct{} { return r.ready }

// open sends the order to accept.
func (r *remote) open(ctx context.Context, b Baton) error {
	return fromWire(r.line.call(ctx, routeOpen, b, nil))
}

// Drain implements lifecycle. The call outlives ctx by what the sandboxes have
// to wind up, because its report says what was cut.
func (r *remote) Drain(ctx context.Context) sandbox.Report {
	timeout := 24 * time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		r.line.push(calling, routeCut, struct{}{}) // if it does not arrive, the time below is over soon
		time.AfterFunc(killGrace, cancel)
	})()
	var report sandbox.Report
	if err := r.line.call(calling, routeDrain, drainRequest{Timeout: timeout}, &report); err != nil {
		report.Stuck = append(report.Stuck, fmt.Sprintf("worker %s: %v", r.work.Worker, err))
	}
	r.line.close() // the other side waits for it: its report has arrived
	return report
}

// Start implements sandboxes.
func (r *remote) Start(ctx context.Context, name string) error {
	return fromWire(r.line.call(ctx, routeStart, nameRequest{Name: name}, nil))
}

// Stop implements sandboxes.
func (r *remote) Stop(ctx context.Context, name string) (sandbox.Report, error) {
	return r.withReport(ctx, routeStop, name)
}

// Restart implements sandboxes.
func (r *remote) Restart(ctx context.Context, name string) (sandbox.Report, error) {
	return r.withReport(ctx, routeRestart, name)
}

func (r *remote) withReport(ctx context.Context, route, name string) (report sandbox.Report, err error) {
	timeout := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout+killGrace)
	defer cancel()
	err = r.line.call(calling, route, nameRequest{Name: name, Timeout: timeout}, &report)
	return report, fromWire(err)
}

// SetLevel implements sandboxes.
func (r *remote) SetLevel(ctx context.Context, name string, level slog.Level) error {
	return fromWire(r.line.call(ctx, routeLevel, levelRequest{Name: name, Level: level}, nil))
}
