package eventbus

import (
	"context"
	"sync"
	"sync/atomic"
)

// closed is the bit of gate.state that says so; the bits below count.
const closed = 1 << 62

// gate counts what is under way. Once it is shut nothing more gets in, and idle
// is closed when the last one has left.
type gate struct {
	state atomic.Int64
	once  sync.Once
	idle  chan struct{}
}

func newGate() *gate { return &gate{idle: make(chan struct{})} }

// enter tells whether the caller got in; if so it has to leave.
func (g *gate) enter() bool {
	if g.state.Add(1) < closed {
		return true
	}
	g.leave()
	return false
}

// hold is enter for somebody who is inside: it works at a shut gate too.
func (g *gate) hold() { g.state.Add(1) }

func (g *gate) leave() {
	if g.state.Add(-1) == closed {
		g.once.Do(func() { close(g.idle) })
	}
}

func (g *gate) shut() {
	// Counting oneself makes the last of several leave, whoever that is.
	g.hold()
	g.state.Or(closed)
	g.leave()
}

func (g *gate) isShut() bool { return g.state.Load() >= closed }

// wait returns nil once the gate is shut and nobody is inside, or why ctx ended
// before that.
func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-g.idle: // whatever became of ctx
		return nil
	default:
		return context.Cause(ctx)
	}
}
