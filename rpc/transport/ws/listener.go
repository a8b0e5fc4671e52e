package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/internal/group"
)

const (
	// backlog is how many connections wait for Accept before further ones are refused.
	backlog = 128
	// closeTime is what Close gives to handshakes that go on.
	closeTime = time.Second
)

// Listener gives the websockets of a server of HTTP of its own.
type Listener struct {
	options Options
	below   net.Listener
	addr    Addr
	server  *http.Server
	serving *group.Group   // accepts connections for the server
	conns   sync.WaitGroup // that the server has
	shaking atomic.Int64   // the same, as a number

	room    chan struct{} // places in queue that are taken
	queue   chan *Conn
	once    sync.Once
	leaving atomic.Bool // Close has begun
	ended   sync.Once
	closed  chan struct{}
	err     error // set before closed is
}

// Addr is where a listener is found.
type Addr struct {
	net.Addr        // of the listener below
	Path     string // begins with /
}

// String is what to dial: "127.0.0.1:80/path", without the path if that is /.
func (a Addr) String() string {
	if a.Path == "/" {
		return a.Addr.String()
	}
	return a.Addr.String() + a.Path
}

// NewListener makes a listener of websockets of one for TCP, or any other stream. It
// owns ln from now on, unless it fails.
func NewListener(ln net.Listener, o Options) (*Listener, error) {
	o, err := o.normalise()
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %v: %w", ln.Addr(), err)
	}
	if o.TLS != nil {
		ln = tls.NewListener(ln, o.tlsConfig(""))
	}
	l := &Listener{
		options: o, below: ln, addr: Addr{Addr: ln.Addr(), Path: o.Path},
		room: make(chan struct{}, backlog), queue: make(chan *Conn, backlog), closed: make(chan struct{}),
	}
	l.server = &http.Server{
		Handler: http.HandlerFunc(l.serveHTTP), ConnState: l.connState, Protocols: onlyHTTP1(), MaxHeaderBytes: maxHeader,
		ReadTimeout: o.HandshakeTime, WriteTimeout: o.HandshakeTime,
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	l.server.SetKeepAlivesEnabled(false)
	l.serving = group.New(context.Background(), nil)
	l.serving.Go("websocket server", func(context.Context) {
		if err := l.server.Serve(ln); !l.leaving.Load() {
			l.end(err)
		}
	})
	return l, nil
}

// Accept waits for the next websocket; after Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		<-l.room
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: l.err}
	}
}

// Close ends the listener below and gives handshakes that go on, and websockets that wait
// for Accept, one second. What nobody has accepted then is closed. Websockets that were
// accepted live on. A second Close does nothing.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		l.leaving.Store(true)
		err = l.below.Close()
		_ = l.serving.Wait(context.Background())
		patience := time.NewTimer(closeTime)
		defer patience.Stop()
		l.finishHandshakes(patience)
		l.emptyQueue(patience)
		l.end(net.ErrClosed)
		for {
			select {
			case c := <-l.queue:
				c.Close()
			default:
				return
			}
		}
	})
	return err
}

// finishHandshakes does what Shutdown of the server does not: requests that come while
// it goes on are answered.
func (l *Listener) finishHandshakes(patience *time.Timer) {
	finished := make(chan struct{})
	l.serving.Go("wait for handshakes", func(context.Context) {
		l.conns.Wait()
		close(finished)
	})
	select {
	case <-finished:
	case <-patience.C:
		patience.Reset(0)
	}
	_ = l.server.Close() // what takes too long
	<-finished
}

// emptyQueue takes all places in the queue, which are free once it is empty.
func (l *Listener) emptyQueue(patience *time.Timer) {
	for range backlog {
		select {
		case l.room <- struct{}{}:
		case <-patience.C:
			return
		}
	}
}

func (l *Listener) end(err error) {
	l.ended.Do(func() {
		l.err = err
		close(l.closed)
	})
}

// Addr is an [Addr].
func (l *Listener) Addr() net.Addr { return l.addr }

func (l *Listener) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != l.options.Path {
		l.options.refuse(w, r, http.StatusNotFound, errors.New("there is no websocket at this path"))
		return
	}
	select {
	case l.room <- struct{}{}:
	default:
		l.options.refuse(w, r, http.StatusServiceUnavailable, errors.New("too many connections wait"))
		return
	}
	c := l.options.upgrade(w, r)
	if c == nil {
		<-l.room
		return
	}
	defer l.left()
	l.queue <- c
}

// connState counts the connections of the server. One that has become a websocket is
// not the server's any more, but its handler is.
func (l *Listener) connState(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.conns.Add(1)
		if l.shaking.Add(1) > int64(l.options.Handshakes) {
			conn.Close()
		}
	case http.StateClosed:
		l.left()
	}
}

func (l *Listener) left() {
	l.shaking.Add(-1)
	l.conns.Done()
}
