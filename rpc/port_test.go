package rpc_test

import (
	"net"
	"sync"
	"testing"
)

// port is a listening socket that outlives the servers behind it, as the
// master's does: each server gets a view, and what one did not accept the next
// one does.
type port struct {
	net.Listener
	conns chan net.Conn
	done  chan struct{}
}

func newPort(t *testing.T, ln net.Listener) *port {
	p := &port{Listener: ln, conns: make(chan net.Conn), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.conns <- conn
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		for {
			select {
			case conn := <-p.conns:
				conn.Close()
			case <-p.done:
				return
			}
		}
	})
	return p
}

func (p *port) view() net.Listener { return &portView{port: p, closed: make(chan struct{})} }

type portView struct {
	port   *port
	once   sync.Once
	closed chan struct{}
}

func (v *portView) Addr() net.Addr { return v.port.Addr() }

func (v *portView) Close() error {
	v.once.Do(func() { close(v.closed) })
	return nil
}

func (v *portView) Accept() (net.Conn, error) {
	select {
	case <-v.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-v.port.conns:
		return conn, nil
	case <-v.closed:
		return nil, net.ErrClosed
	}
}
