package rpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

// setter has new sessions for itself until it is told what to make of them.
type setter struct {
	entered chan rpc.EarlySession
	result  chan error
}

func newSetter() *setter {
	return &setter{make(chan rpc.EarlySession, 100), make(chan error)}
}

func (*setter) Name() string { return "setter" }

func (p *setter) AfterAccept(s rpc.EarlySession) error {
	p.entered <- s
	return <-p.result
}

func (p *setter) AfterDial(s rpc.EarlySession, _ bool) error { return p.AfterAccept(s) }

func TestSessionDoesNotWorkBeforeItIsSetUp(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		p := newSetter()
		c := b.config()
		c.Plugins = []rpc.Plugin{p}
		e := newEndpoint(t, c)
		echo(t, e)
		near, far := net.Pipe()
		peer, err := b.client.ServeConn(far)
		if err != nil {
			t.Fatal(err)
		}
		echo(t, b.client)
		s, err := e.ServeConn(near)
		if err != nil {
			t.Fatal(err)
		}
		early := within(t, 10*time.Second, "the hook has it", p.entered)
		early.SetID("user-1")
		if st := wantCode(t, s.Call(t.Context(), "/echo", "x", nil), status.InvalidOperation); !st.Retry {
			t.Errorf("got %+v", st)
		}
		wantCode(t, s.Push(t.Context(), "/echo", "x"), status.InvalidOperation)
		if _, found := e.Session("user-1"); found || s.Healthy() || len(e.Sessions()) != 0 {
			t.Error("the session is found")
		}
		if sent, err := e.PushAll(t.Context(), "/echo", "x"); sent != 0 || err != nil {
			t.Errorf("pushed to %d, %v", sent, err)
		}
		// What the peer sends meanwhile is handled then.
		waiting := peer.Go(t.Context(), "/echo", "x", nil)
		p.result <- nil
		if err := waiting.Wait(); err != nil {
			t.Error(err)
		}
		if found, ok := e.Session("user-1"); !ok || found != s || !s.Healthy() || len(e.Sessions()) != 1 {
			t.Error("the session is not found")
		}
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestDrainDuringSetUpIsToldAfterIt(t *testing.T) {
	p := newSetter()
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	echo(t, b.server)
	w := b.dialRaw()
	within(t, 10*time.Second, "the hook has it", p.entered)
	b.server.Drain()
	w.send(&message.Message{Seq: 1, Type: message.Call, Method: "/echo", Codec: 'j', Body: []byte(`"x"`)})
	p.result <- nil
	if m := w.mustRead(); m.Method != "/_goaway" || m.Meta.Value("seq") != "0" {
		t.Errorf("got %+v", m)
	}
	if m := w.mustRead(); m.Type != message.Reply || m.Status != nil {
		t.Errorf("got %+v", m)
	}
}

// asker wants to be told something first, and lets in who says the right thing.
type asker struct {
	got   chan string
	ended chan error
}

func (*asker) Name() string { return "asker" }

func (p *asker) AfterAccept(s rpc.EarlySession) error {
	var said string
	m, err := s.ReceiveAuth(&said)
	if err != nil {
		return err
	}
	p.got <- m.Type.String() + " " + said
	var st *status.Status
	if said != "friend" {
		st = status.New(status.Unauthorized, "say friend")
	}
	if err := s.SendAuth(message.AuthReply, st, "enter"); err != nil {
		return err
	}
	if st != nil {
		return st
	}
	return nil
}

func (p *asker) AfterDisconnect(s rpc.BaseSession) error {
	p.ended <- s.Err()
	return nil
}

func newAsker() *asker { return &asker{make(chan string, 100), make(chan error, 100)} }

// sayer is the other side of asker.
type sayer struct{ word string }

func (sayer) Name() string { return "sayer" }

func (p sayer) AfterDial(s rpc.EarlySession, _ bool) error {
	if err := s.SendAuth(message.AuthCall, nil, p.word); err != nil {
		return err
	}
	var reply string
	m, err := s.ReceiveAuth(&reply)
	switch {
	case err != nil:
		return err
	case m.Type != message.AuthReply:
		return errors.New("no answer")
	case m.Status != nil:
		return m.Status
	case reply != "enter":
		return errors.New(reply)
	}
	return nil
}

// TestAuthenticationBeforeTheFirstMessage has the numbers and types of older peers.
func TestAuthenticationBeforeTheFirstMessage(t *testing.T) {
	for _, cell := range combinations() {
		t.Run(cell.name, func(t *testing.T) {
			ask := newAsker()
			server := rpc.Config{Proto: cell.proto, Plugins: []rpc.Plugin{ask}}
			client := rpc.Config{Proto: cell.proto, Plugins: []rpc.Plugin{sayer{"friend"}}}
			b := newBed(t, server, client, cell.address(t))
			echo(t, b.server)
			s := b.dial()
			if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
				t.Error(err)
			}
			if got := <-ask.got; got != "AUTH_CALL friend" {
				t.Errorf("got %q", got)
			}
			wantCode(t, s.SendAuth(message.AuthCall, nil, "again"), status.InvalidOperation)
			_, err := s.ReceiveAuth(nil)
			wantCode(t, err, status.InvalidOperation)

			client.Plugins = []rpc.Plugin{sayer{"foe"}}
			client.Transports = nil
			foe := newBed(t, server, client, cell.address(t))
			_, err = foe.client.Dial(t.Context(), foe.address)
			if st := wantCode(t, err, status.DialFailed); st.Cause != "say friend" {
				t.Errorf("got %+v", st)
			}
			<-ask.got
			if err := within(t, 10*time.Second, "its session ends", ask.ended); status.CodeOf(err) != status.Unauthorized {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func TestFirstMessageOfAnotherTypeIsSeen(t *testing.T) {
	ask := newAsker()
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{ask}})
	w := b.dialRaw()
	w.send(&message.Message{Seq: 1, Type: message.Call, Method: "/echo", Codec: 'j', Body: []byte(`7`)})
	if got := within(t, 10*time.Second, "it is read", ask.got); got != "CALL " {
		t.Errorf("got %q", got)
	}
	if m := w.mustRead(); m.Type != message.AuthReply || status.CodeOf(m.Status) != status.Unauthorized || m.Seq != 1 || m.Method != "" {
		t.Errorf("got %+v", m)
	}
	w.mustBeClosed()
	other := b.dialRaw()
	other.send(&message.Message{Seq: 1, Type: message.AuthCall, Codec: 'j', Body: []byte(`7`)})
	other.mustBeClosed() // a number is no word
	if b.server.Stats().Handled != 0 {
		t.Error("a handler ran")
	}
}

func TestSendAuthSendsNothingElse(t *testing.T) {
	p := newSetter()
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	b.dialRaw()
	s := within(t, 10*time.Second, "the hook has it", p.entered)
	for _, kind := range []message.Type{message.Undefined, message.Call, message.Reply, message.Push, 6} {
		wantCode(t, s.SendAuth(kind, nil, nil), status.InvalidOperation)
	}
	wantCode(t, s.SendAuth(message.AuthReply, nil, func() {}), status.WriteFailed)
	p.result <- nil
}

// TestHooksThatStallAreEnded after HandshakeTime, on both sides.
func TestHooksThatStallAreEnded(t *testing.T) {
	limits := rpc.Limits{HandshakeTime: 50 * time.Millisecond}
	ask := newAsker()
	b := newBed(t, rpc.Config{Plugins: []rpc.Plugin{ask}, Limits: limits}, rpc.Config{Plugins: []rpc.Plugin{sayer{"friend"}}, Limits: limits}, "tcp://127.0.0.1:0")
	w := b.dialRaw() // it says nothing
	w.mustBeClosed()
	if err := within(t, 10*time.Second, "the session ends", ask.ended); err == nil || !strings.Contains(err.Error(), "not set up in time") {
		t.Errorf("it ended with %v", err)
	}
	trickle := b.dialRaw()
	trickle.sendHex("000000ff 01 00 01") // it says something, slowly
	trickle.mustBeClosed()
	within(t, 10*time.Second, "the session ends", ask.ended)

	address, conns := silentServer(t)
	_, err := b.client.Dial(t.Context(), address)
	wantCode(t, err, status.DialFailed)
	newRawPeer(t, within(t, 10*time.Second, "it came", conns)).mustBeClosed()
	eventually(t, "all are gone", func() bool { return b.client.Stats().Sessions+b.server.Stats().Sessions == 0 })
}

func TestDialEndsWithItsContextDuringSetUp(t *testing.T) {
	b := newBed(t, rpc.Config{}, rpc.Config{Plugins: []rpc.Plugin{sayer{"friend"}}, Limits: rpc.Limits{HandshakeTime: time.Hour, DialTime: time.Hour}}, "tcp://127.0.0.1:0")
	address, conns := silentServer(t)
	_, err := b.client.Dial(timeout(t, 50*time.Millisecond), address)
	if wantCode(t, err, status.DialFailed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	newRawPeer(t, within(t, 10*time.Second, "it came", conns)).mustBeClosed()
}

func TestCloseDuringSetUp(t *testing.T) {
	for name, end := range map[string]func(e *rpc.Endpoint, s *rpc.Session) error{
		"endpoint": func(e *rpc.Endpoint, _ *rpc.Session) error { return e.Close() },
		"session":  func(_ *rpc.Endpoint, s *rpc.Session) error { return s.Shutdown(context.Background()) },
		"shutdown": func(e *rpc.Endpoint, _ *rpc.Session) error {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			return e.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ask := newAsker()
			e := newEndpoint(t, rpc.Config{Plugins: []rpc.Plugin{ask}})
			near, far := net.Pipe()
			defer far.Close()
			s, err := e.ServeConn(near)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- end(e, s) }()
			if name == "session" {
				far.Close() // who dialled leaves
			}
			if err := within(t, 20*time.Second, "it ends", ended); err != nil {
				t.Error(err)
			}
			within(t, 10*time.Second, "the session ends", s.Done())
			within(t, 10*time.Second, "and that is told", ask.ended)
			wantCode(t, s.Call(t.Context(), "/echo", "x", nil), status.ConnectionClosed)
		})
	}
}

// TestF114PeerThatIsNotLetInCostsLittle: nothing is unpacked or decoded for it, and no
// message has more than 64 KiB.
func TestF114PeerThatIsNotLetInCostsLittle(t *testing.T) {
	ask := newAsker()
	filters, sums := classicFilters(t)
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{ask}, Filters: filters})
	frame := func(size int, ids string) []byte {
		f := classicFrame(t, filters, &message.Message{Seq: 1, Type: message.AuthCall, Codec: 'j', Body: []byte(`"` + strings.Repeat("x", size) + `"`), Filters: []byte(ids)})
		sums.packed.Store(0)
		return f
	}
	for name, bytes := range map[string][]byte{
		"too long":   frame(64<<10, ""),
		"compressed": frame(64<<10, "z"),
		"summed":     frame(10, "5"),
	} {
		w := b.dialRaw()
		if _, err := w.conn.Write(bytes); err != nil {
			t.Fatal(err)
		}
		w.mustBeClosed()
		err := within(t, 10*time.Second, "the session ends", ask.ended)
		if err == nil || !strings.Contains(err.Error(), "cannot read the authentication") {
			t.Errorf("%s: it ended with %v", name, err)
		}
	}
	if n := sums.unpacked.Load(); n != 0 {
		t.Errorf("%d messages were unpacked", n)
	}
	if len(ask.got) > 0 {
		t.Errorf("somebody said %q", <-ask.got)
	}
	// Who is let in may do all that.
	w := b.dialRaw()
	w.send(&message.Message{Seq: 1, Type: message.AuthCall, Codec: 'j', Body: []byte(`"friend"`)})
	if m := w.mustRead(); m.Type != message.AuthReply || m.Status != nil {
		t.Fatalf("got %+v", m)
	}
	echo(t, b.server)
	call := classicFrame(t, filters, &message.Message{Seq: 2, Type: message.Call, Method: "/nowhere", Codec: 'j', Body: make([]byte, 1<<20), Filters: []byte("5")})
	if _, err := w.conn.Write(call); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is unpacked", func() bool { return sums.unpacked.Load() == 1 })
}

// classicFrame is the frame of a message in the protocol raw.
func classicFrame(t *testing.T, filters []filter.Filter, m *message.Message) []byte {
	t.Helper()
	r, err := filter.NewRegistry(filters...)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := raw.New(proto.Stream{Filters: r}).(proto.Framer).AppendFrame(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestF49WhoDoesNotAskIsTold: its calls fail with what the server says, not with a lost
// connection.
func TestF49WhoDoesNotAskIsTold(t *testing.T) {
	ask := newAsker()
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{ask}})
	s := b.dial()
	if st := wantCode(t, s.Call(t.Context(), "/echo", "x", nil), status.Unauthorized); st.Cause != "say friend" {
		t.Errorf("got %+v", st)
	}
	within(t, 10*time.Second, "the session ends", s.Done())
	if !strings.Contains(b.clientLog.String(), "the peer did not let us in") {
		t.Errorf("log: %s", b.clientLog)
	}
}

// panicky panics with the session in its hands.
type panicky struct{ n atomic.Int64 }

func (*panicky) Name() string { return "panicky" }
func (p *panicky) AfterAccept(rpc.EarlySession) error {
	if p.n.Add(1) == 1 {
		panic("in the hook")
	}
	return nil
}

func TestF8HookThatPanicsDuringSetUpEndsItsSessionOnly(t *testing.T) {
	b := onTCP(t, rpc.Config{Plugins: []rpc.Plugin{new(panicky)}})
	echo(t, b.server)
	b.dialRaw().mustBeClosed()
	if !strings.Contains(b.serverLog.String(), "plugin panicky panicked in AfterAccept: in the hook") {
		t.Errorf("log: %s", b.serverLog)
	}
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
}
