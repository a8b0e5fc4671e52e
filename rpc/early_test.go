package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// onDial and onAccept are plugins with one hook.
type onDial struct {
	named
	f func(s rpc.EarlySession) error
}

func (p onDial) AfterDial(s rpc.EarlySession, _ bool) error { return p.f(s) }

type onAccept struct {
	named
	f func(s rpc.EarlySession) error
}

func (p onAccept) AfterAccept(s rpc.EarlySession) error { return p.f(s) }

// wantAuth is a hook that reads one message.
func wantAuth(s rpc.EarlySession) error {
	_, err := s.ReceiveAuth(nil)
	return err
}

func TestBadFrameBeforeTheSessionWorksIsABadFrame(t *testing.T) {
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{onAccept{"asks", wantAuth}}})
	for _, frame := range []string{"00000003", "ffffffff", "0000000c 01 01 7a 0000000000"} {
		p := b.dialRaw()
		p.sendHex(frame)
		began := time.Now()
		p.mustBeClosed()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: closed after %v", frame, took)
		}
	}
	if n := b.server.Stats().BadFrames; n != 3 {
		t.Errorf("%d bad frames are counted", n)
	}
}

// TestDeniedHasTheStatusOfThePeer, whatever else it sends, and its text if there is no
// cause.
func TestDeniedHasTheStatusOfThePeer(t *testing.T) {
	deny := onAccept{"denies", func(s rpc.EarlySession) error {
		st := &status.Status{Code: 1234, Msg: "closed on Mondays"}
		return errors.Join(s.SendAuth(message.AuthReply, st, []byte("no JSON")), st)
	}}
	var got *message.Message
	asks := onDial{"asks", func(s rpc.EarlySession) (err error) {
		var number int
		got, err = s.ReceiveAuth(&number)
		if err == nil && got.Status != nil {
			return got.Status
		}
		return err
	}}
	b := newBed(t, rpc.Config{Plugins: []rpc.Plugin{deny}}, rpc.Config{Plugins: []rpc.Plugin{asks}}, "mem://server")
	_, err := b.client.Dial(t.Context(), b.address)
	st := wantCode(t, err, status.DialFailed)
	if st.Cause != "closed on Mondays" {
		t.Errorf("the cause is %q", st.Cause)
	}
	if got.Type != message.AuthReply || got.Status.Code != 1234 {
		t.Errorf("got %+v", got)
	}
}

// TestHookThatHangsDoesNotHoldWhoDials: it has a context that ends with its session.
func TestHookThatHangsDoesNotHoldWhoDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, release := make(chan error, 1), make(chan struct{})
		hangs := onDial{"hangs", func(s rpc.EarlySession) error {
			<-s.Context().Done()
			ended <- context.Cause(s.Context())
			<-release
			return nil
		}}
		b := newBed(t, rpc.Config{}, rpc.Config{Plugins: []rpc.Plugin{hangs}}, "mem://server")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := b.client.Dial(ctx, b.address)
		wantCode(t, err, status.DialFailed)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the session ended with %v", err)
		}
		close(release)
		b.server.Close()
		b.client.Close()
	})
}
