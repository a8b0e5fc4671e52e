package rpc_test

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// rawPeer speaks the raw protocol by hand, as an older peer, a broken one or an
// attacker would.
type rawPeer struct {
	t    *testing.T
	conn net.Conn
	p    *raw.Proto
}

func newRawPeer(t *testing.T, conn net.Conn) *rawPeer {
	t.Cleanup(func() { conn.Close() })
	p := raw.Options{Classic: true}.New(proto.Stream{Reader: bufio.NewReader(conn), Writer: conn})
	return &rawPeer{t, conn, p.(*raw.Proto)}
}

// dialRaw connects to the bed's server.
func (b *bed) dialRaw() *rawPeer {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		b.t.Fatal(err)
	}
	return newRawPeer(b.t, conn)
}

func (p *rawPeer) send(m *message.Message) {
	p.t.Helper()
	if err := p.p.Pack(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *rawPeer) sendHex(text string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// read gives the next message that comes within 10 s.
func (p *rawPeer) read() (*message.Message, error) {
	p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	m := new(message.Message)
	err := p.p.Unpack(m)
	return m, err
}

func (p *rawPeer) mustRead() *message.Message {
	p.t.Helper()
	m, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// mustBeClosed expects the other side to hang up within 10 s.
func (p *rawPeer) mustBeClosed() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := io.Copy(io.Discard, p.conn)
	if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
		p.t.Fatalf("still open after %d bytes", n)
	}
}

// silentServer accepts connections and hands them out.
func silentServer(t *testing.T) (address string, conns chan net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = make(chan net.Conn, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		for len(conns) > 0 {
			(<-conns).Close()
		}
	})
	return "tcp://" + ln.Addr().String(), conns
}
