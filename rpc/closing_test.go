package rpc_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
)

func TestSessionIsClosedForAReason(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	s := b.dial()
	why := errors.New("it snores")
	b.accepted().CloseFor(why)
	within(t, 10*time.Second, "the peer is told", s.Done())
	eventually(t, "the session has ended", func() bool { return b.server.Stats().Sessions == 0 })
	if n := strings.Count(b.serverLog.String(), "closing session\""); n != 1 || !strings.Contains(b.serverLog.String(), `reason="it snores"`) {
		t.Errorf("the log: %s", b.serverLog)
	}
}

func TestCloseForGivesTheReason(t *testing.T) {
	why := errors.New("it snores")
	e := newEndpoint(t, rpc.Config{})
	near, far := net.Pipe()
	defer far.Close()
	s, err := e.ServeConn(near)
	if err != nil {
		t.Fatal(err)
	}
	s.CloseFor(why)
	within(t, 10*time.Second, "the session ends", s.Done())
	if !errors.Is(s.Err(), why) {
		t.Errorf("got %v", s.Err())
	}
}
