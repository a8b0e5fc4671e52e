package rpc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// panickyProto is a user's protocol with bugs.
type panickyProto struct{ lineProto }

func newPanickyProto(s proto.Stream) proto.Proto { return &panickyProto{lineProto{s}} }

func (p *panickyProto) Pack(m *message.Message) error {
	if m.Method == "/pack" {
		p.s.Writer.Write([]byte("half a message, which must not be sent"))
		panic("in Pack")
	}
	return p.lineProto.Pack(m)
}

func (p *panickyProto) Unpack(m *message.Message) error {
	err := p.lineProto.Unpack(m)
	if m.Method == "/unpack" {
		panic("in Unpack")
	}
	return err
}

func TestPanicsOfAProtocolCostAMessageOrASession(t *testing.T) {
	c := rpc.Config{Proto: newPanickyProto}
	b := newBed(t, c, c, "tcp://127.0.0.1:0")
	echo(t, b.server)
	s := b.dial()
	err := s.Call(t.Context(), "/pack", nil, nil)
	if st := wantCode(t, err, status.WriteFailed); !strings.Contains(st.Cause, "in Pack") {
		t.Errorf("got %v", st)
	}
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("after a panic in Pack: %v", err)
	}
	wantCode(t, s.Call(t.Context(), "/unpack", nil, nil), status.ConnectionClosed)
	within(t, 10*time.Second, "the session ends", s.Done())
	if !strings.Contains(b.serverLog.String(), "in Unpack") {
		t.Errorf("log: %s", b.serverLog)
	}
	if n := b.server.Stats().BadFrames; n != 1 {
		t.Errorf("%d bad frames were counted", n)
	}
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("on another session: %v", err)
	}
}
