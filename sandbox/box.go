package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
)

// Box is what a service gets from its host: everything it needs from outside. It
// belongs to one call of Serve; after that call its listeners are closed. It is
// safe for concurrent use.
type Box struct {
	run     *run
	work    *tally
	name    string
	mode    string
	logger  *slog.Logger
	sockets Sockets
	declare []Listen
	config  map[string]any

	opening  sync.Mutex // held while the host is asked for sockets; taken before mu
	declared int        // how many of the declared sockets are open; guarded by opening

	mu        sync.Mutex // never held over a call to the host: a drain must not wait for one
	listeners []*Listener
	packets   []*PacketConn
	open      []stopper
	addresses []string // of open, in order
	halted    bool
	closed    bool
	watched   bool // somebody asked for Drain
}

// stopper is a socket that can be told to take nothing new.
type stopper interface {
	stop()
	Close() error
}

// Name is the sandbox's name.
func (b *Box) Name() string { return b.name }

// Mode is single or multi; a service rarely needs to know.
func (b *Box) Mode() string { return b.mode }

// Logger writes to the sandbox's log, at the level set for this sandbox.
func (b *Box) Logger() *slog.Logger { return b.logger }

// Ready tells the host that the service can work. Only the first call counts.
func (b *Box) Ready() { b.run.sayReady() }

// Served tells the host how to count the requests that the service has answered
// in this call of Serve: count is asked now and then, from any goroutine. The host
// may replace a process that has answered many. Only the last call counts; services
// of the adapters are counted without it.
func (b *Box) Served(count func() int64) { b.work.by(count) }

// Drain is closed when the service must take no more new work. A service that
// never calls Drain gets its ctx cancelled at that moment instead.
func (b *Box) Drain() <-chan struct{} {
	b.mu.Lock()
	b.watched = true
	b.mu.Unlock()
	return b.run.drain
}

// Cut reports one piece of work, a request or a session, that was ended before
// it was done because time was over; what names it for people. The counts are
// what a reload is judged by, so report each once.
func (b *Box) Cut(what string) { b.run.noteCut(what) }

// Go runs f in a goroutine that belongs to the sandbox: a panic in it fails this
// sandbox alone, and the sandbox counts as ended only when f has returned. ctx
// ends at the drain deadline or when Serve has returned, whichever is first, and
// f has two more seconds: a Serve whose goroutines finish work waits for them.
// After Serve has returned f is not started and a line is logged.
func (b *Box) Go(name string, f func(ctx context.Context)) { b.run.spawn(name, f) }

// Listeners returns the stream sockets that the configuration declares for this
// sandbox, in that order. Each call returns the same ones.
func (b *Box) Listeners() ([]*Listener, error) {
	if err := b.openDeclared(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*Listener(nil), b.listeners...), nil
}

// PacketConns returns the datagram sockets that the configuration declares for
// this sandbox, in that order. Each call returns the same ones.
func (b *Box) PacketConns() ([]*PacketConn, error) {
	if err := b.openDeclared(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*PacketConn(nil), b.packets...), nil
}

// Listen asks the host for a stream socket on address; network is tcp, tcp4,
// tcp6 or unix. The host opens it once and keeps it over restarts and reloads.
func (b *Box) Listen(network, address string) (*Listener, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	return b.listen(Listen{Network: network, Address: address})
}

// ListenPacket asks the host for a datagram socket on address; network is udp,
// udp4, udp6 or unixgram.
func (b *Box) ListenPacket(network, address string) (*PacketConn, error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	return b.listenPacket(Listen{Network: network, Address: address})
}

func (b *Box) openDeclared() error {
	b.opening.Lock()
	defer b.opening.Unlock()
	for ; b.declared < len(b.declare); b.declared++ {
		var err error
		if l := b.declare[b.declared]; l.packet() {
			_, err = b.listenPacket(l)
		} else {
			_, err = b.listen(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Box) listen(l Listen) (*Listener, error) {
	if b.sockets == nil {
		return nil, cannotListen(l, errNoSockets)
	}
	inner, err := b.sockets.Listener(b.run.context(), b.name, l)
	if err != nil {
		return nil, cannotListen(l, err)
	}
	ln, err := newListener(l.Name, inner, b.run.gate)
	if err != nil {
		_ = inner.Close() // the error above is the one to report
		return nil, cannotListen(l, err)
	}
	b.keep(ln, ln.Addr())
	if l.declared {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.listeners = append(b.listeners, ln)
	}
	return ln, nil
}

func (b *Box) listenPacket(l Listen) (*PacketConn, error) {
	if b.sockets == nil {
		return nil, cannotListen(l, errNoSockets)
	}
	inner, err := b.sockets.PacketConn(b.run.context(), b.name, l)
	if err != nil {
		return nil, cannotListen(l, err)
	}
	p := newPacketConn(l.Name, inner, b.run.gate)
	b.keep(p, p.LocalAddr())
	if l.declared {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.packets = append(b.packets, p)
	}
	return p, nil
}

// keep makes s end with the box; if the box has ended, at once.
func (b *Box) keep(s stopper, addr net.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = append(b.open, s)
	b.addresses = append(b.addresses, addr.Network()+"://"+addr.String())
	if b.closed {
		_ = s.Close() // as in close
	} else if b.halted {
		s.stop()
	}
}

// halt makes all sockets of the box take nothing new; it returns whether the
// service watches Drain.
func (b *Box) halt() (watched bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halted = true
	for _, s := range b.open {
		s.stop()
	}
	return b.watched
}

// close gives the box's descriptors back.
func (b *Box) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halted, b.closed = true, true
	for _, s := range b.open {
		_ = s.Close() // a service may have closed it; nothing is lost either way
	}
}

func (b *Box) listening() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.addresses...)
}

func cannotListen(l Listen, err error) error {
	return fmt.Errorf("cannot listen on %s: %w", l, err)
}

// Listen is a socket that the configuration declares for a sandbox.
type Listen struct {
	Name    string // unique in the sandbox; may be empty
	Network string // tcp, tcp4, tcp6, unix, udp, udp4, udp6 or unixgram
	Address string

	declared bool
}

// String is the address as users write it, such as tcp://127.0.0.1:9091.
func (l Listen) String() string { return l.Network + "://" + l.Address }

func (l Listen) packet() bool {
	return strings.HasPrefix(l.Network, "udp") || l.Network == "unixgram"
}

func (l Listen) validate() error {
	switch l.Network {
	case "tcp", "tcp4", "tcp6", "unix", "udp", "udp4", "udp6", "unixgram":
	default:
		return fmt.Errorf("cannot listen on %s: network must be one of tcp, tcp4, tcp6, unix, udp, udp4, udp6, unixgram", l)
	}
	if l.Address == "" {
		return fmt.Errorf("cannot listen on %s: no address", l)
	}
	return nil
}
