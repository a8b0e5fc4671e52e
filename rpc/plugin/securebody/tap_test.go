package securebody_test

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// wire is a connection on which a test speaks the protocol raw by hand.
type wire struct {
	net.Conn
	*raw.Proto
}

func newWire(conn net.Conn) *wire {
	p, _ := raw.Options{Classic: true}.New(proto.Stream{Reader: bufio.NewReader(conn), Writer: conn}).(*raw.Proto)
	return &wire{conn, p}
}

func dialWire(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newWire(conn)
}

// read gives the next message that comes within 20 s, with memory of its own.
func (w *wire) read() (*message.Message, error) {
	w.SetReadDeadline(time.Now().Add(20 * time.Second))
	var m message.Message
	if err := w.Unpack(&m); err != nil {
		return nil, err
	}
	m.Meta, m.Body, m.Filters = m.Meta.Clone(), append([]byte(nil), m.Body...), nil
	return &m, nil
}

// roundTrip sends a CALL and waits for its reply.
func (w *wire) roundTrip(t *testing.T, m message.Message) *message.Message {
	t.Helper()
	if err := w.Pack(&m); err != nil {
		t.Fatal(err)
	}
	reply, err := w.read()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// tap is a wire that somebody else holds in their hands: it copies what passes, and
// changes what it is told to.
type tap struct {
	address string

	mu       sync.Mutex
	conns    []net.Conn
	up, down []message.Message // that passed, from the one who dialled and to it
	change   func(m *message.Message, up bool) []*message.Message
}

func newTap(t *testing.T, server string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{address: "tcp://" + ln.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(server, "tcp://"))
			if err != nil {
				near.Close()
				continue
			}
			a, b := newWire(near), newWire(far)
			p.keep(near, far)
			all.Go(func() { p.carry(a, b, true) })
			all.Go(func() { p.carry(b, a, false) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.cut()
		all.Wait()
	})
	return p
}

// keep takes note of connections, which end with the test.
func (p *tap) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
}

// cut ends all connections.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *tap) carry(from, to *wire, up bool) {
	defer from.Close()
	defer to.Close()
	for {
		m, err := from.read()
		if err != nil {
			return
		}
		for _, m := range p.pass(m, up) {
			if to.Pack(m) != nil {
				return
			}
		}
	}
}

func (p *tap) pass(m *message.Message, up bool) []*message.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := *m
	passed.Meta = m.Meta.Clone()
	if up {
		p.up = append(p.up, passed)
	} else {
		p.down = append(p.down, passed)
	}
	if p.change != nil {
		return p.change(m, up)
	}
	return []*message.Message{m}
}

// set says what to change from now on, and forgets what has passed.
func (p *tap) set(change func(m *message.Message, up bool) []*message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down, p.change = nil, nil, change
}

// last is what passed last.
func (p *tap) last(t *testing.T, up bool) message.Message {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.down
	if up {
		list = p.up
	}
	if len(list) == 0 {
		t.Fatal("nothing has passed")
	}
	return list[len(list)-1]
}

// newMirror listens and hands over the first connection.
func newMirror(t *testing.T, conns chan<- *wire) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if conn, err := ln.Accept(); err == nil {
			conns <- newWire(conn)
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return "tcp://" + ln.Addr().String()
}
