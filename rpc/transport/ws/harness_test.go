package ws_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/ws"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// listen opens a listener with some path.
func listen(t *testing.T, o ws.Options) *ws.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Logger = quiet()
	l, err := ws.NewListener(ln, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// host is where a listener is below its path.
func host(l net.Listener) string {
	host, _, _ := strings.Cut(l.Addr().String(), "/")
	return host
}

func accept(t *testing.T, l net.Listener) *ws.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*ws.Conn)
}

func dial(t *testing.T, o ws.Options, l net.Listener) *ws.Conn {
	t.Helper()
	conn, err := ws.Transport{Options: o}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*ws.Conn)
}

// pair is the two ends of one websocket.
func pair(t *testing.T, o ws.Options) (dialled, accepted *ws.Conn) {
	t.Helper()
	l := listen(t, o)
	dialled = dial(t, o, l)
	return dialled, accept(t, l)
}

func frame(payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// wantFrame expects that frame next.
func wantFrame(t *testing.T, c net.Conn, payload string) {
	t.Helper()
	want := frame(payload)
	got := make([]byte, len(want))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != string(want) {
		t.Fatalf("got %.60q, %v after %d bytes, want %.60q", got, err, n, want)
	}
	c.SetReadDeadline(time.Time{})
}

// wantEnd expects the end of reading, for some reason.
func wantEnd(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 100)); n != 0 || !errors.Is(err, want) {
		t.Errorf("got %d bytes, %v, want %v", n, err, want)
	}
}

// peer speaks websocket by hand.
type peer struct {
	net.Conn
	t      testing.TB
	r      *bufio.Reader
	masks  bool // is the client
	answer *http.Response
}

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
	final          = 0x80
)

// dialByHand sends a request with some more lines, and reads the answer.
func dialByHand(t *testing.T, l net.Listener, path string, lines ...string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", host(l))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host(l) + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: OKGzQKl/CuzRC9f402zjcQ==\r\nSec-WebSocket-Version: 13\r\n"
	for _, line := range lines {
		request += line + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	p := &peer{Conn: conn, t: t, r: bufio.NewReader(conn), masks: true}
	if p.answer, err = http.ReadResponse(p.r, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// send writes one frame; the first byte has its kind.
func (p *peer) send(first byte, payload string) {
	p.t.Helper()
	if _, err := p.Write(p.frame(first, payload)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) frame(first byte, payload string) []byte {
	b := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if !p.masks {
		return append(b, payload...)
	}
	b[1] |= 0x80
	mask := []byte{1, 2, 3, 4}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// receive reads one frame.
func (p *peer) receive() (first byte, payload string) {
	p.t.Helper()
	first, payload, err := p.tryReceive()
	if err != nil {
		p.t.Fatal(err)
	}
	return first, payload
}

func (p *peer) tryReceive() (first byte, payload string, err error) {
	var head [14]byte
	if _, err := io.ReadFull(p.r, head[:2]); err != nil {
		return 0, "", err
	}
	size := uint64(head[1] & 0x7f)
	switch size {
	case 126:
		_, err = io.ReadFull(p.r, head[2:4])
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(p.r, head[2:10])
		size = binary.BigEndian.Uint64(head[2:])
	}
	mask := make([]byte, 4)
	if err == nil && head[1]&0x80 != 0 {
		_, err = io.ReadFull(p.r, mask)
	}
	b := make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(p.r, b)
	}
	for i := range b {
		b[i] ^= mask[i%4]
	}
	return head[0], string(b), err
}

// want expects a frame.
func (p *peer) want(first byte, payload string) {
	p.t.Helper()
	if gotFirst, got := p.receive(); gotFirst != first || got != payload {
		p.t.Fatalf("got %#x %.60q, want %#x %.60q", gotFirst, got, first, payload)
	}
}

// wantClosed expects the end of the connection below.
func (p *peer) wantClosed() {
	p.t.Helper()
	var timeout net.Error
	if _, err := io.Copy(io.Discard, p.r); errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Error("still open")
	}
}

// wantNothingButTheEnd expects the end of the connection below before any byte.
func (p *peer) wantNothingButTheEnd() {
	p.t.Helper()
	if b, err := io.ReadAll(p.r); len(b) > 0 || err != nil {
		p.t.Errorf("got %q, %v", b, err)
	}
}

func code(n uint16) string { return string(binary.BigEndian.AppendUint16(nil, n)) }

// tlsConfigs borrows the certificate of the test server of net/http.
func tlsConfigs() (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}, s.Client().Transport.(*http.Transport).TLSClientConfig
}

// both is one configuration for both ends.
func both() *tls.Config {
	server, client := tlsConfigs()
	return &tls.Config{Certificates: server.Certificates, RootCAs: client.RootCAs}
}

func newEndpoint(t *testing.T, f proto.Factory, transports ...transport.Transport) *rpc.Endpoint {
	t.Helper()
	return rpctest.Endpoint(t, rpc.Config{Proto: f, Transports: transports})
}
