package rpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// generation starts a server on a view of the port; its /who answers name.
func generation(t *testing.T, p *port, c rpc.Config, name string) *rpc.Endpoint {
	t.Helper()
	e := newEndpoint(t, c)
	mustHandle(t, e, "/who", func(rpc.Context, any) (string, error) { return name, nil })
	serveListener(t, e, p.view())
	return e
}

// movingBed is a port with its first generation, for tests of moving.
func movingBed(t *testing.T, b *bed) (*port, string) {
	scheme, _, _ := strings.Cut(b.address, "://")
	where := map[string]string{
		"tcp": "tcp://127.0.0.1:0", "unix": "unix://" + t.TempDir() + "/p", "mem": "mem://port", "ws": "ws://127.0.0.1:0",
	}[scheme]
	ln, err := b.client.Listen(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	return newPort(t, ln), scheme + "://" + ln.Addr().String()
}

func TestGoawayIsToldAndTheSessionWorksOn(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		s := b.dial()
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
		b.server.Drain()
		within(t, 10*time.Second, "the peer is told", s.GoingAway())
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Errorf("after GOAWAY: %v", err)
		}
		if _, err := b.client.Dial(t.Context(), b.address); err == nil {
			t.Error("a draining server accepts")
		}
		left := make(chan error, 1)
		go func() { left <- b.server.Shutdown(timeout(t, 20*time.Second)) }()
		s.Close()
		if err := within(t, 10*time.Second, "Shutdown ends when the peer has left", left); err != nil {
			t.Error(err)
		}
	})
}

// What an older peer sees is one PUSH to a route it does not know.
func TestGoawayOnTheWire(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{DrainTime: 7 * time.Second}})
	echo(t, b.server)
	p := b.dialRaw()
	p.send(&message.Message{Seq: 41, Type: message.Call, Method: "/echo"})
	p.mustRead()
	b.server.Drain()
	b.server.Drain()
	m := p.mustRead()
	if m.Type != message.Push || m.Method != "/_goaway" || m.Codec != 0 || len(m.Body) > 0 ||
		m.Meta.Value("seq") != "41" || m.Meta.Value("deadline_ms") != "7000" || m.Meta.Len() != 2 {
		t.Errorf("got %+v", m)
	}
	p.send(&message.Message{Seq: 42, Type: message.Call, Method: "/echo"})
	if m := p.mustRead(); m.Type != message.Reply || m.Seq != 42 {
		t.Errorf("after GOAWAY: got %+v", m)
	}
}

func TestConnectionAcceptedWhileDrainingIsToldAtOnce(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	b.server.Drain()
	near, far := net.Pipe()
	if _, err := b.server.ServeConn(near); err != nil {
		t.Fatal(err)
	}
	if m := newRawPeer(t, far).mustRead(); m.Method != "/_goaway" {
		t.Errorf("got %+v", m)
	}
}

func TestClientMovesAndTheOldSessionEndsWithItsLastCall(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		p, address := movingBed(t, b)
		c := b.client.Client(address)
		defer c.Close()
		old := generation(t, p, b.config(), "old")
		g := newGate(t, old)
		slow := make(chan error, 1)
		go func() { slow <- c.Call(t.Context(), "/gate", nil, nil) }()
		within(t, 10*time.Second, "a call runs on the old one", g.entered)

		left := make(chan error, 1)
		generation(t, p, b.config(), "new")
		go func() { left <- old.Shutdown(timeout(t, 20*time.Second)) }()
		within(t, 10*time.Second, "the client is told", b.client.Sessions()[0].GoingAway())
		for range 3 {
			var who string
			if err := c.Call(t.Context(), "/who", nil, &who); err != nil || who != "new" {
				t.Errorf("new calls reach %q, %v", who, err)
			}
		}
		if n := len(b.client.Sessions()); n != 2 {
			t.Errorf("%d sessions while a call runs on the old one", n)
		}
		close(g.open)
		if err := within(t, 10*time.Second, "the slow call ends", slow); err != nil {
			t.Error(err)
		}
		if err := within(t, 10*time.Second, "the old one has nobody left", left); err != nil {
			t.Error(err)
		}
	})
}

func TestIdleClientLeavesADrainingServer(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	c := b.client.Client(b.address)
	if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Shutdown(timeout(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	wantCode(t, c.Call(t.Context(), "/echo", "x", nil), status.DialFailed)
}

func TestOldSessionIsUsedWhileThereIsNoOther(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	g := newGate(t, b.server)
	c := b.client.Client(b.address)
	slow := make(chan error, 1)
	go func() { slow <- c.Call(t.Context(), "/gate", nil, nil) }()
	within(t, 10*time.Second, "a call runs", g.entered)
	b.server.Drain()
	within(t, 10*time.Second, "the client is told", b.client.Sessions()[0].GoingAway())
	for range 20 {
		if err := c.Call(timeout(t, 5*time.Second), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
	}
	close(g.open)
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

func TestPushesOfAServerFollowTheClient(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	p, address := movingBed(t, b)
	news := make(chan string, 10)
	mustHandlePush(t, b.client, "/news", func(_ rpc.Context, s string) error {
		news <- s
		return nil
	})
	subscribable := func(name string) *rpc.Endpoint {
		e := generation(t, p, rpc.Config{}, name)
		mustHandle(t, e, "/subscribe", func(ctx rpc.Context, _ any) (any, error) {
			return nil, ctx.Session().Push(ctx, "/news", name)
		})
		return e
	}
	old := subscribable("old")
	connects := 0
	c := b.client.Client(address, rpc.OnConnect(func(ctx context.Context, s *rpc.Session) error {
		if connects++; connects == 2 {
			return errors.New("not this time")
		}
		return s.Call(ctx, "/subscribe", nil, nil)
	}))
	if err := c.Call(t.Context(), "/who", nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := within(t, 10*time.Second, "news", news); got != "old" {
		t.Errorf("got %s", got)
	}
	// Nobody calls: the client moves by itself, and stays when a try fails.
	second := subscribable("second")
	if err := old.Shutdown(timeout(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	if got := within(t, 10*time.Second, "news", news); got != "second" {
		t.Errorf("got %s", got)
	}
	// The same when the connection is cut.
	subscribable("third")
	second.Close()
	if got := within(t, 10*time.Second, "news", news); got != "third" {
		t.Errorf("got %s", got)
	}
	c.Close()
}
