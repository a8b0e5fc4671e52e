package rpc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// doorman lets nobody in and tells how sessions ended.
type doorman struct {
	says  bool // why, to the peer
	ended chan error
}

var errNotToday = errors.New("not today")

func (d *doorman) Name() string { return "doorman" }

func (d *doorman) AfterAccept(s rpc.EarlySession) error {
	if d.says {
		if err := s.SendAuth(message.AuthReply, status.New(status.Unauthorized, errNotToday.Error()), nil); err != nil {
			return err
		}
	}
	return errNotToday
}

func (d *doorman) AfterDisconnect(s rpc.BaseSession) error {
	d.ended <- s.Err()
	return nil
}

// TestWhoIsTurnedAwayKeepsNoPlace: it need not even close its end.
func TestWhoIsTurnedAwayKeepsNoPlace(t *testing.T) {
	d := &doorman{ended: make(chan error, 100)}
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{d}, Limits: rpc.Limits{CloseTime: time.Hour}})
	for range 50 {
		b.dialRaw()
	}
	for range 50 {
		if err := within(t, 10*time.Second, "a session ends", d.ended); !errors.Is(err, errNotToday) {
			t.Errorf("it ended for %v", err)
		}
	}
	eventually(t, "all are gone", func() bool { return b.server.Stats().Sessions == 0 })
	if n := strings.Count(b.serverLog.String(), "it cannot be set up"); n < 1 || n > 12 {
		t.Errorf("%d lines in the log", n)
	}
}

// TestWhoIsToldWhyReadsIt: with unread bytes on its way it would get a reset otherwise.
func TestWhoIsToldWhyReadsIt(t *testing.T) {
	d := &doorman{says: true, ended: make(chan error, 1)}
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{d}})
	p := b.dialRaw()
	p.send(&message.Message{Seq: 1, Type: message.Call, Method: "/a", Body: make([]byte, 60_000)})
	if m := p.mustRead(); m.Type != message.AuthReply || m.Status == nil || m.Status.Cause != errNotToday.Error() {
		t.Errorf("got %+v", m)
	}
	p.conn.Close()
	if err := within(t, 10*time.Second, "the session ends", d.ended); !errors.Is(err, errNotToday) {
		t.Errorf("it ended for %v", err)
	}
}
