package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dserver/dserver/bench/internal/cell"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/result"
	"github.com/dserver/dserver/bench/internal/usage"
)

// Server is the other process.
type Server interface {
	Address() string
	// Usage is what it says of itself.
	Usage() (usage.Usage, error)
	// Collect is Usage after all garbage was collected and given back.
	Collect() (usage.Usage, error)
}

// Plan is one measurement.
type Plan struct {
	Peer string
	Cell cell.Cell
	Time time.Duration // that is measured
	Warm time.Duration // before that

	Profiles string // folder for CPU profiles of both processes; empty is none
}

// Run measures. The error is peer.ErrNoPush if the peer has no such thing.
func Run(ctx context.Context, plan Plan, p peer.Peer, s Server) (result.Run, error) {
	start, err := s.Usage()
	if err != nil {
		return result.Run{}, err
	}
	m := &measurement{Plan: plan, peer: p, server: s, ctx: ctx}
	m.run.Peer, m.run.Cell, m.run.RSSServerStart = plan.Peer, plan.Cell.String(), start.RSS
	switch plan.Cell.Mode {
	case cell.Push:
		err = m.push()
	case cell.Dial:
		err = m.dial()
	case cell.Idle:
		err = m.idle()
	default:
		err = m.call()
	}
	for _, c := range m.conns {
		_ = c.Close()
	}
	if err != nil && !errors.Is(err, peer.ErrNoPush) {
		err = fmt.Errorf("cannot measure %s with %s: %w", plan.Cell, plan.Peer, err)
	}
	return m.run, err
}

// measurement is one that is being made.
type measurement struct {
	Plan
	peer   peer.Peer
	server Server
	ctx    context.Context // of Run
	conns  []peer.Conn
	run    result.Run
}

// connect makes the connections that callers share, and a call over each, so that those
// are there which a peer makes late.
func (m *measurement) connect(n int) error {
	for range n {
		c, err := m.peer.Dial(m.server.Address())
		if err != nil {
			return fmt.Errorf("cannot connect: %w", err)
		}
		m.conns = append(m.conns, c)
		if err := c.Caller(m.Cell.Body)(0); err != nil {
			return fmt.Errorf("the first call failed: %w", err)
		}
	}
	return nil
}

// look takes the usage of both processes.
func (m *measurement) look() (both result.Sides, err error) {
	if both.Server, err = m.server.Usage(); err != nil {
		return both, err
	}
	both.Client, err = usage.Read()
	return both, err
}
