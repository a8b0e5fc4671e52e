package sandbox

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gate keeps listeners from accepting before the generation is committed.
type gate struct {
	once sync.Once
	open chan struct{} // closed by Open
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) Open() { g.once.Do(func() { close(g.open) }) }

// Listener is a listening socket of a [Box]. The socket itself belongs to the
// master and is shared with other generations; a Listener works on a descriptor
// of its own and never does anything to it that others would notice.
//
// Accept waits until the runtime's gate is open. When the sandbox drains, or
// after Close, Accept returns net.ErrClosed; a connection that was accepted
// before is always handed over first. Listener is safe for concurrent use.
type Listener struct {
	name  string
	inner deadlineListener
	gate  *gate

	halted    atomic.Bool
	once      sync.Once
	halt      chan struct{} // closed when no more connections are wanted
	accepting sync.RWMutex  // read-locked by every Accept that is on its way to the socket
}

// deadlineListener is what net.TCPListener and net.UnixListener have in common.
type deadlineListener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

func newListener(name string, inner net.Listener, g *gate) (*Listener, error) {
	d, ok := inner.(deadlineListener)
	if !ok {
		return nil, errors.New("the socket cannot be drained: it has no deadlines")
	}
	if u, ok := inner.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the path belongs to the master
	}
	return &Listener{name: name, inner: d, gate: g, halt: make(chan struct{})}, nil
}

// Name is the listen name from the configuration; empty for a socket that was
// asked for by [Box.Listen].
func (l *Listener) Name() string { return l.name }

// Addr is the address the socket is bound to.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept returns the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.gate.open:
	case <-l.halt:
		return nil, l.closedError()
	}
	l.accepting.RLock()
	defer l.accepting.RUnlock()
	if l.halted.Load() {
		return nil, l.closedError()
	}
	conn, err := l.inner.Accept()
	if err == nil {
		return conn, nil // even if halted meanwhile: the peer may have written already
	}
	if l.halted.Load() {
		return nil, l.closedError()
	}
	return nil, err
}

// Close stops this listener. The socket stays open for the master and for other
// generations; connections that nobody accepts wait in its queue.
func (l *Listener) Close() error {
	l.stop()
	return l.inner.Close()
}

// stop makes Accept return net.ErrClosed; when it returns no connection is taken
// any more. A past deadline lives in this process' poller alone, unlike
// shutdown(2) or a flag of the shared description.
func (l *Listener) stop() {
	l.once.Do(func() {
		l.halted.Store(true)
		close(l.halt)
		// It fails only if the descriptor is closed already, which serves as well.
		_ = l.inner.SetDeadline(time.Unix(1, 0))
		// An Accept that the deadline has woken still takes a connection that
		// arrives before it runs.
		l.accepting.Lock()
		l.accepting.Unlock()
	})
}

func (l *Listener) closedError() error {
	return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: net.ErrClosed}
}
