package memory

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// backlog is how many connections wait for Accept before Dial waits, as in the
// queue of a socket.
const backlog = 128

// Network is a space of names. Make one with [New].
type Network struct {
	mu        sync.Mutex
	listeners map[string]*Listener
}

// New returns a network without listeners.
func New() *Network { return &Network{listeners: make(map[string]*Listener)} }

// Scheme is "mem".
func (n *Network) Scheme() string { return "mem" }

// Listen takes a name; a second listener of the same name is refused with
// syscall.EADDRINUSE.
func (n *Network) Listen(_ context.Context, name string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[name] != nil {
		return nil, fmt.Errorf("cannot listen on mem://%s: %w", name, syscall.EADDRINUSE)
	}
	l := &Listener{network: n, addr: Addr(name), queue: make(chan net.Conn, backlog), closed: make(chan struct{})}
	n.listeners[name] = l
	return l, nil
}

// Dial connects to the listener of that name. Without one it fails at once with
// syscall.ECONNREFUSED; with a full queue it waits until ctx ends.
func (n *Network) Dial(ctx context.Context, name string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[name]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("cannot dial mem://%s: %w", name, syscall.ECONNREFUSED)
	}
	near, far := Pipe(Addr(name))
	err := l.offer(ctx, far)
	if err != nil {
		near.Close()
		return nil, fmt.Errorf("cannot dial mem://%s: %w", name, err)
	}
	return near, nil
}

func (n *Network) forget(l *Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[string(l.addr)] == l {
		delete(n.listeners, string(l.addr))
	}
}

// Listener hands out the connections that were dialled to its name.
type Listener struct {
	network *Network
	addr    Addr
	queue   chan net.Conn

	mu     sync.RWMutex // held for reading while a connection enters the queue
	once   sync.Once
	closed chan struct{}
}

func (l *Listener) offer(ctx context.Context, conn net.Conn) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	select {
	case <-l.closed:
		return syscall.ECONNREFUSED
	default:
	}
	select {
	case l.queue <- conn:
		return nil
	case <-l.closed:
		return syscall.ECONNREFUSED
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Accept waits for the next connection; after Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.closedError()
	default:
	}
	select {
	case conn := <-l.queue:
		return conn, nil
	case <-l.closed:
		return nil, l.closedError()
	}
}

func (l *Listener) closedError() error {
	return &net.OpError{Op: "accept", Net: "mem", Addr: l.addr, Err: net.ErrClosed}
}

// Close frees the name and ends the connections that nobody accepted. A second
// Close does nothing.
func (l *Listener) Close() error {
	l.once.Do(func() {
		l.network.forget(l)
		close(l.closed)
		l.mu.Lock() // every offer has ended or will see that we are closed
		defer l.mu.Unlock()
		for {
			select {
			case conn := <-l.queue:
				conn.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr is the name.
func (l *Listener) Addr() net.Addr { return l.addr }

// Addr is a name in a network.
type Addr string

// Network is "mem".
func (Addr) Network() string { return "mem" }

// String is the name.
func (a Addr) String() string { return string(a) }
