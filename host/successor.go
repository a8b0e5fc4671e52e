package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
)

// successor is a master in single mode that was started to succeed another one.
// Until it gets the order to open it is that one's generation and no more.
type successor struct {
	from    *predecessor
	control *rpc.Endpoint
	session *rpc.Session
	batons  chan Baton    // capacity 1: the order to open
	opened  chan takeover // capacity 1: what came of it
	given   Assignment
	baton   Baton        // as it was received
	left    func(legacy) // told what the predecessor had to cut, after the takeover
}

// errPredecessorGone ends a successor whose predecessor went before the order to
// open came: it was not chosen.
var errPredecessorGone = errors.New("the former master withdrew before the commit")

func succeed(ctx context.Context, from *predecessor, log *slog.Logger) (*successor, error) {
	e, err := rpc.New(rpc.Config{Name: "control", Logger: log})
	if err != nil {
		return nil, fmt.Errorf("cannot make the control endpoint: %w", err)
	}
	s := &successor{from: from, control: e, batons: make(chan Baton, 1), opened: make(chan takeover, 1)}
	if err := errors.Join(rpc.Handle(e, routeOpen, s.onOpen), rpc.Handle(e, routeLeft, s.onLeft)); err != nil {
		return nil, err
	}
	if s.session, err = e.ServeConn(from.control); err != nil {
		return nil, fmt.Errorf("cannot begin the control session: %w", err)
	}
	hello := helloRequest{Protocol: controlProtocol, Pid: os.Getpid()}
	if err := s.session.Call(ctx, routeHello, hello, &s.given); err != nil {
		return nil, fmt.Errorf("cannot get an assignment: %w", fromWire(err))
	}
	if s.given.Succession == nil {
		return nil, errors.New("cannot succeed the former master: it gave a worker's assignment")
	}
	return s, nil
}

// takeover is what came of the order to open.
type takeover struct {
	err      error // nobody has taken over
	programs error // what came of the programs
}

// onOpen passes the order on and answers once it was carried out.
func (s *successor) onOpen(ctx rpc.Context, b Baton) (opening, error) {
	select {
	case s.batons <- b:
	default:
		return opening{}, onWire(errors.New("it is open already"))
	}
	select {
	case o := <-s.opened:
		if o.err != nil || o.programs == nil {
			return opening{}, onWire(o.err)
		}
		return opening{Error: o.programs.Error(), Output: outputOf(o.programs)}, nil
	case <-ctx.Done():
		return opening{}, onWire(context.Cause(ctx))
	}
}

func (s *successor) onLeft(_ rpc.Context, l legacy) (struct{}, error) {
	s.left(l)
	return struct{}{}, nil
}

// endPredecessor gives what still drains there no more time than limit, and
// waits until that process has gone or ctx ends.
func (s *successor) endPredecessor(ctx context.Context, limit time.Duration) error {
	// It may have gone long ago, which is as well.
	_ = s.session.Push(ctx, routeHurry, drainRequest{Timeout: limit})
	return s.from.upgrader.WaitForParent(ctx)
}

// awaitBaton says ready and waits for the order to open.
func (s *successor) awaitBaton(ctx context.Context) (Baton, error) {
	if err := s.session.Call(ctx, routeReady, struct{}{}, nil); err != nil {
		return Baton{}, fmt.Errorf("cannot say ready: %w", fromWire(err))
	}
	select {
	case b := <-s.batons:
		return b, nil
	case <-s.session.Done():
		return Baton{}, errPredecessorGone
	case <-ctx.Done():
		return Baton{}, context.Cause(ctx)
	}
}

// sayFailed tells the predecessor why nothing came of it. If it cannot be told,
// the exit code has to do.
func (s *successor) sayFailed(err error) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	var failed *FailedError // the predecessor says where it failed
	if errors.As(err, &failed) {
		err = failed.Cause
	}
	_ = s.session.Call(ctx, routeFailed, failure{Error: err.Error()}, nil)
}

// report passes a sandbox's state on, as a worker does. The predecessor may be
// gone; then nobody asks.
func (s *successor) report(st sandbox.Status) {
	ctx, cancel := context.WithTimeout(context.Background(), reportLimit)
	defer cancel()
	_ = s.session.Call(ctx, routeState, st, nil)
}
