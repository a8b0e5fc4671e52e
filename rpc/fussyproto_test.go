package rpc_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// fussyProto refuses some of what it reads.
type fussyProto struct {
	lineProto
	traits proto.Traits
}

func newFussyProto(traits proto.Traits) proto.Factory {
	return func(s proto.Stream) proto.Proto { return &fussyProto{lineProto{s}, traits} }
}

func (p *fussyProto) Traits() proto.Traits { return p.traits }

func (p *fussyProto) Unpack(m *message.Message) error {
	if err := p.lineProto.Unpack(m); err != nil {
		return err
	}
	switch m.Method {
	case "/refused":
		m.Refusal = status.New(1001, "as it is")
	case "/broken":
		m.Refusal = status.New(1002, "beyond repair")
		return errors.New("nothing more can be read")
	case "/last":
		m.Method, m.Last = "/echo", true
	}
	return nil
}

func TestProtocolRefusesACall(t *testing.T) {
	b := newBed(t, rpc.Config{Proto: newFussyProto(proto.Traits{})}, rpc.Config{Proto: newLineProto}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	s := b.dial()
	wantCode(t, s.Call(t.Context(), "/refused", "x", nil), 1001)
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	wantCode(t, s.Call(t.Context(), "/broken", "x", nil), 1002)
	within(t, 10*time.Second, "the session ends", s.Done())
	if !strings.Contains(b.serverLog.String(), "nothing more can be read") || b.server.Stats().BadFrames != 1 {
		t.Errorf("%d bad frames, log: %s", b.server.Stats().BadFrames, b.serverLog)
	}
}

func TestLastMessageIsAnsweredAndEndsTheSession(t *testing.T) {
	b := newBed(t, rpc.Config{Proto: newFussyProto(proto.Traits{})}, rpc.Config{Proto: newLineProto}, "tcp://127.0.0.1:0")
	echo(t, b.server)
	s := b.dial()
	var got string
	if err := s.Call(t.Context(), "/last", "x", &got); err != nil || got != "x" {
		t.Errorf("got %q, %v", got, err)
	}
	within(t, 10*time.Second, "the session ends", s.Done())
	if n := b.server.Stats().BadFrames; n != 0 {
		t.Errorf("%d bad frames", n)
	}
}

func TestTraitsOfAProtocol(t *testing.T) {
	c := rpc.Config{
		Proto:  newFussyProto(proto.Traits{Codec: codec.IDJSON, InOrder: true, Untold: true}),
		Codecs: []codec.Codec{uselessCodec{}},
	}
	b := newBed(t, c, c, "tcp://127.0.0.1:0")
	var order []int
	mustHandle(t, b.server, "/note", func(_ rpc.Context, n int) (int, error) {
		order = append(order, n) // in order, so nobody else does
		return n, nil
	})
	s := b.dial()
	done := make(chan error, 100)
	for n := range cap(done) {
		if err := s.Push(t.Context(), "/none", n); err != nil {
			t.Fatal(err)
		}
		go func() { done <- s.Call(t.Context(), "/note", n, nil) }()
	}
	for range cap(done) {
		if err := within(t, 10*time.Second, "a reply", done); err != nil {
			t.Error(err)
		}
	}
	if len(order) != cap(done) {
		t.Errorf("%d handlers ran", len(order))
	}
	if err := b.server.Shutdown(timeout(t, 10*time.Second)); err != nil {
		t.Errorf("a session that is idle keeps its server: %v", err)
	}
}

// uselessCodec cannot encode anything.
type uselessCodec struct{}

func (uselessCodec) ID() byte                    { return 'U' }
func (uselessCodec) Name() string                { return "useless" }
func (uselessCodec) Marshal(any) ([]byte, error) { return nil, errors.New("it must not be used") }
func (uselessCodec) Unmarshal([]byte, any) error { return errors.New("it must not be used") }

// A program that sends what it reads from a pipe closes its side when that ends.
func TestPeerThatHasClosedItsSideIsAnswered(t *testing.T) {
	b := newBed(t, rpc.Config{Proto: newFussyProto(proto.Traits{HalfClose: true})}, rpc.Config{}, "tcp://127.0.0.1:0")
	g := newGate(t, b.server)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, `{"seq":1,"type":1,"method":"/gate"}`)
	within(t, 10*time.Second, "the handler runs", g.entered)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server knows", func() bool { return len(b.server.Sessions()) == 0 })
	close(g.open)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), `"seq":1`) {
		t.Errorf("got %q, %v", answer, err)
	}
	eventually(t, "the session is over", func() bool { return b.server.Stats().Sessions == 0 })
}

// TestCloseDoesNotWaitForMoreThanThePeersEnd: a peer that hangs up when we do ends the
// session, whichever side was first.
func TestCloseDoesNotWaitForMoreThanThePeersEnd(t *testing.T) {
	c := rpc.Config{Proto: newFussyProto(proto.Traits{HalfClose: true}), Limits: rpc.Limits{CloseTime: time.Hour}}
	b := newBed(t, c, rpc.Config{}, "tcp://127.0.0.1:0")
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.address, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		s := b.accepted()
		s.Close()
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		conn.Close()
		within(t, 10*time.Second, "the session ends", s.Done())
	}
}

// TestLastCallMayTakeItsTime: longer than an orderly close.
func TestLastCallMayTakeItsTime(t *testing.T) {
	c := rpc.Config{Proto: newFussyProto(proto.Traits{}), Limits: rpc.Limits{CloseTime: time.Millisecond}}
	b := newBed(t, c, rpc.Config{Proto: newLineProto}, "tcp://127.0.0.1:0")
	mustHandle(t, b.server, "/echo", func(ctx rpc.Context, v string) (string, error) {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
			return v, nil
		}
	})
	var got string
	if err := b.dial().Call(t.Context(), "/last", "x", &got); err != nil || got != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUntoldPeerIsLeftWhenItIsQuiet, and answered while it is not.
func TestUntoldPeerIsLeftWhenItIsQuiet(t *testing.T) {
	c := rpc.Config{Proto: newFussyProto(proto.Traits{Untold: true})}
	b := newBed(t, c, c, "tcp://127.0.0.1:0")
	echo(t, b.server)
	s := b.dial()
	b.accepted()
	left := make(chan error, 1)
	go func() { left <- b.server.Shutdown(timeout(t, 20*time.Second)) }()
	const quiet = 300 * time.Millisecond
	last := time.Now()
	for n := range 100 {
		// It never waits longer than a peer that is busy does, unless the machine is.
		err := s.Call(t.Context(), "/echo", "x", nil)
		held := time.Since(last)
		if err != nil && held < quiet {
			t.Fatalf("call %d, %v after the last answer: %v", n, held, err)
		}
		if err != nil {
			break
		}
		last = time.Now()
		<-time.After(5 * time.Millisecond)
	}
	if err := within(t, 10*time.Second, "the server has left", left); err != nil {
		t.Error(err)
	}
}
