package gfservice

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

// funnel is the one listener that ghttp sees. Its connections come from all
// listeners of the box, unix sockets included, which ghttp cannot take itself. It
// ends when ghttp closes it, not when the box's listeners do: ghttp ends the
// process if Accept fails before its Shutdown.
type funnel struct {
	addr  net.Addr
	conns chan net.Conn

	usedOnce  sync.Once
	used      chan struct{} // closed by the first Accept
	closeOnce sync.Once
	closed    chan struct{}
}

func newFunnel(listeners []*sandbox.Listener) *funnel {
	f := &funnel{
		addr:  &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)},
		conns: make(chan net.Conn), used: make(chan struct{}), closed: make(chan struct{}),
	}
	for _, ln := range listeners {
		// ghttp finds its listeners by port, and asserts this type.
		if addr, ok := ln.Addr().(*net.TCPAddr); ok {
			f.addr = addr
			break
		}
	}
	return f
}

// feed passes connections on until Accept fails. What was accepted has been handed
// over by then.
func (f *funnel) feed(ln *sandbox.Listener, tracker *httpdrain.Tracker) error {
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case temporary(err):
			// Out of descriptors, most likely: some connection will end.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		case err != nil:
			return err
		}
		pause = 0
		conn = tracker.Track(conn)
		select {
		case f.conns <- conn:
		case <-f.closed:
			_ = conn.Close() // setup must have called Shutdown
		}
	}
}

// temporary tells what net/http tells: an error that accepting goes on after. The
// method is deprecated for all but this.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// Accept returns the next connection of any of the listeners.
func (f *funnel) Accept() (net.Conn, error) {
	f.usedOnce.Do(func() { close(f.used) })
	select {
	case conn := <-f.conns:
		return conn, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (f *funnel) Close() error {
	f.closeOnce.Do(func() { close(f.closed) })
	return nil
}

// Addr is the first TCP address, for what ghttp says about itself.
func (f *funnel) Addr() net.Addr { return f.addr }
