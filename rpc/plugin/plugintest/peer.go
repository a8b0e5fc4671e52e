package plugintest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// Peer speaks the raw protocol by hand, as an older peer or an attacker would.
type Peer struct {
	Conn net.Conn
	t    testing.TB
}

// patience is how long a peer waits for what must come.
const patience = 30 * time.Second

// NewPeer speaks over conn, which closes at the end of the test.
func NewPeer(t testing.TB, conn net.Conn) *Peer {
	t.Cleanup(func() { conn.Close() })
	return &Peer{Conn: conn, t: t}
}

// Send writes a message as older peers do.
func (p *Peer) Send(m *message.Message) {
	p.t.Helper()
	p.Write(Frame(p.t, m, nil))
}

// SendHex writes bytes; blanks in the text are for the reader.
func (p *Peer) SendHex(text string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	p.Write(b)
}

// Write writes bytes, which the other side must take.
func (p *Peer) Write(b []byte) {
	p.t.Helper()
	if _, err := p.Conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// Read waits for one message.
func (p *Peer) Read() *message.Message {
	p.t.Helper()
	return parse(p.t, p.readFrame())
}

// WantEnd expects that nothing more comes but the end of the connection.
func (p *Peer) WantEnd() {
	p.t.Helper()
	rest, err := p.readAll()
	if len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("instead of the end came %q, %v", rest, err)
	}
}

func (p *Peer) readAll() ([]byte, error) {
	if err := p.Conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return io.ReadAll(p.Conn)
}

func (p *Peer) readFrame() []byte {
	p.t.Helper()
	frame := make([]byte, 4)
	err := p.Conn.SetReadDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = io.ReadFull(p.Conn, frame)
	}
	if err == nil {
		frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame)-4)...)
		_, err = io.ReadFull(p.Conn, frame[4:])
	}
	if err != nil {
		p.t.Fatalf("cannot read a frame: %v", err)
	}
	return frame
}

// Frame is a message as older peers write it, through the filters of an endpoint if
// there are any.
func Frame(t testing.TB, m *message.Message, filters *filter.Registry) []byte {
	t.Helper()
	var out bytes.Buffer
	p := raw.Options{Classic: true}.New(proto.Stream{Writer: &out, Filters: filters})
	if err := p.Pack(m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func parse(t testing.TB, frame []byte) *message.Message {
	t.Helper()
	m := new(message.Message)
	p := raw.New(proto.Stream{Reader: bufio.NewReader(bytes.NewReader(frame))})
	if err := p.Unpack(m); err != nil {
		t.Fatalf("cannot read %x: %v", frame, err)
	}
	return m
}
