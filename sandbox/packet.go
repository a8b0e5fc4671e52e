package sandbox

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// PacketConn is a datagram socket of a [Box]. As with [Listener] the socket
// belongs to the master.
//
// ReadFrom waits until the runtime's gate is open, and returns net.ErrClosed once
// the sandbox drains; datagrams that were not read wait for the next generation.
// WriteTo works until Close, so what was read can still be answered. A protocol
// with connections over datagrams needs more than that to survive a reload.
// PacketConn is safe for concurrent use.
type PacketConn struct {
	net.PacketConn
	name string
	gate *gate

	halted atomic.Bool
	once   sync.Once
	halt   chan struct{}
}

func newPacketConn(name string, inner net.PacketConn, g *gate) *PacketConn {
	return &PacketConn{PacketConn: inner, name: name, gate: g, halt: make(chan struct{})}
}

// Name is the listen name from the configuration; empty for a socket that was
// asked for by [Box.ListenPacket].
func (p *PacketConn) Name() string { return p.name }

// ReadFrom reads the next datagram.
func (p *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-p.gate.open:
	case <-p.halt:
		return 0, nil, p.closedError()
	}
	if p.halted.Load() {
		return 0, nil, p.closedError()
	}
	n, from, err := p.PacketConn.ReadFrom(b)
	if err != nil && p.halted.Load() {
		return 0, nil, p.closedError()
	}
	return n, from, err
}

// SetReadDeadline works as for any net.PacketConn until the sandbox drains; then
// it is refused, because the past deadline is what ends ReadFrom.
func (p *PacketConn) SetReadDeadline(t time.Time) error {
	if p.halted.Load() {
		return p.closedError()
	}
	err := p.PacketConn.SetReadDeadline(t)
	if p.halted.Load() { // stop came between: its deadline must win
		return errors.Join(err, p.PacketConn.SetReadDeadline(time.Unix(1, 0)))
	}
	return err
}

// SetDeadline sets both deadlines; see SetReadDeadline.
func (p *PacketConn) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

// Close stops reading and writing here; the socket stays open for others.
func (p *PacketConn) Close() error {
	p.stop()
	return p.PacketConn.Close()
}

func (p *PacketConn) stop() {
	p.once.Do(func() {
		p.halted.Store(true)
		close(p.halt)
		_ = p.PacketConn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed already
	})
}

func (p *PacketConn) closedError() error {
	return &net.OpError{Op: "read", Net: p.LocalAddr().Network(), Addr: p.LocalAddr(), Err: net.ErrClosed}
}
