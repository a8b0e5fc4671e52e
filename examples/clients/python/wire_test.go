package python_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// peer speaks the raw protocol by hand.
type peer struct {
	t    *testing.T
	ln   net.Listener
	conn net.Conn
	now  proto.Proto // as the endpoint writes
	old  proto.Proto // as older peers do
}

// accept takes the client's next connection.
func (p *peer) accept() {
	p.t.Helper()
	p.ln.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	conn, err := p.ln.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	stream := proto.Stream{Reader: bufio.NewReader(conn), Writer: conn}
	p.conn, p.now, p.old = conn, raw.New(stream), raw.Options{Classic: true}.New(stream)
}

// want reads up to a message of that type and route; heartbeats may come before it.
func (p *peer) want(kind message.Type, method string) *message.Message {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		m := new(message.Message)
		if err := p.now.Unpack(m); err != nil {
			p.t.Fatalf("%v %s does not come: %v", kind, method, err)
		}
		switch {
		case m.Type == kind && m.Method == method:
			return m
		case m.Method != "/heartbeat":
			p.t.Fatalf("got %+v, want %v %s", m, kind, method)
		}
	}
}

func (p *peer) send(as proto.Proto, m message.Message, pairs ...string) {
	p.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		m.Meta.Set(pairs[i], pairs[i+1])
	}
	if err := as.Pack(&m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) answer(as proto.Proto, to *message.Message, body string) {
	p.t.Helper()
	p.send(as, message.Message{Type: message.Reply, Seq: to.Seq, Codec: 'j', Body: []byte(body)})
}

// TestClientOnTheWire plays a peer that cancels, asks back, and leaves in every way.
func TestClientOnTheWire(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := &peer{t: t, ln: ln}
	output := script(t, "wire.py", ln.Addr().String())
	p.accept()

	// Who writes a status in full may be an older peer, and is not told of a cancel.
	p.answer(p.old, p.want(message.Call, "/old"), "1")
	late := p.want(message.Call, "/late")
	if ms, err := strconv.Atoi(late.Meta.Value("X-Timeout-Ms")); err != nil || ms < 1 || ms > 100 {
		t.Errorf("the deadline of %+v is not 100 ms", late)
	}
	ours := p.want(message.Call, "/ours")
	p.answer(p.old, late, "0")
	p.answer(p.now, ours, "")
	late = p.want(message.Call, "/late")
	cancel := p.want(message.Push, "/_cancel")
	if cancel.Meta.Value("seq") != strconv.Itoa(int(late.Seq)) || cancel.Codec != 0 || len(cancel.Body) > 0 {
		t.Errorf("got %+v, want a cancel of call %d", cancel, late.Seq)
	}

	p.askBack()
	p.leaveInEveryWay()
	ln.Close()
	checkOutput(t, "wire.txt", output())
}

// askBack calls and pushes before it answers.
func (p *peer) askBack() {
	p.t.Helper()
	asked := p.want(message.Call, "/asked")
	p.send(p.now, message.Message{Type: message.Call, Seq: -7, Method: "/who"})
	no := p.want(message.Reply, "")
	if no.Seq != -7 || status.CodeOf(no.Status) != status.NotFound || no.Codec != 0 {
		p.t.Errorf("a call to the client got %+v", no)
	}
	p.send(p.now, message.Message{Type: message.Push, Seq: 1, Method: "/_later"})
	p.send(p.now, message.Message{Type: message.Push, Seq: 2, Method: "/note", Codec: 's', Body: []byte("hi")})
	p.want(message.Push, "/heartbeat")
	p.answer(p.now, asked, "2")
}

// leaveInEveryWay ends one connection after the other, each with a call that waits.
func (p *peer) leaveInEveryWay() {
	p.t.Helper()
	moved := p.want(message.Call, "/moved")
	p.send(p.now, message.Message{Type: message.Push, Seq: 3, Method: "/_goaway"}, "seq", strconv.Itoa(int(moved.Seq-1)), "deadline_ms", "0")
	p.hangUp()
	p.accept()
	p.answer(p.now, p.want(message.Call, "/moved"), "3")
	p.want(message.Call, "/cut")
	p.hangUp()
	p.accept()
	p.want(message.Call, "/broken")
	if _, err := p.conn.Write([]byte{0, 0, 0, 3, 1, 0}); err != nil {
		p.t.Fatal(err)
	}
	p.accept()
	p.answer(p.now, p.want(message.Call, "/after"), "4")
}

// hangUp lets the client read what was sent: to close with unread bytes would reset.
func (p *peer) hangUp() {
	p.t.Helper()
	if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, p.conn); err != nil {
		p.t.Error(err)
	}
}
