package rpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

func TestF19HandlerThatOutlivesItsDeadlineIsAnswered408(t *testing.T) {
	c := rpc.Config{HandlerTimeout: 50 * time.Millisecond, Limits: rpc.Limits{SessionHandlers: 1}}
	everywhere(t, c, func(t *testing.T, b *bed) {
		g := newGate(t, b.server)
		mustHandle(t, b.server, "/quick", func(rpc.Context, any) (any, error) { return nil, nil }, rpc.WithTimeout(time.Hour))
		s := b.dial()
		start := time.Now()
		wantCode(t, s.Call(t.Context(), "/gate", nil, nil), status.HandleTimeout)
		if d := time.Since(start); d < 50*time.Millisecond || d > 5*time.Second {
			t.Errorf("answered after %v", d)
		}
		if ctx := <-g.entered; !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("the handler's context says %v", ctx.Err())
		}
		// The slot is taken until the handler returns.
		if st := wantCode(t, s.Call(t.Context(), "/quick", nil, nil), status.Overloaded); !st.Retry {
			t.Errorf("got %+v", st)
		}
		close(g.open)
		eventually(t, "the slot is free", func() bool { return b.server.Stats().Handlers == 0 })
		if err := s.Call(t.Context(), "/quick", nil, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestHandlerMaySetMetadataWhileItsCallTimesOut(t *testing.T) {
	b := onTCP(t, rpc.Config{HandlerTimeout: 20 * time.Millisecond})
	mustHandle(t, b.server, "/busy", func(ctx rpc.Context, _ any) (any, error) {
		for answered := false; !answered; {
			ctx.SetMeta("k", "v")
			select {
			case <-ctx.Done():
				answered = true
			default:
			}
		}
		for range 1000 {
			ctx.SetMeta("k", "w")
		}
		return nil, ctx.Err()
	})
	wantCode(t, b.dial().Call(t.Context(), "/busy", nil, nil), status.HandleTimeout)
}

func TestRouteTimeoutReplacesThatOfTheEndpoint(t *testing.T) {
	b := onTCP(t, rpc.Config{HandlerTimeout: time.Hour})
	g := newGate(t, b.server, rpc.WithTimeout(10*time.Millisecond))
	defer close(g.open)
	wantCode(t, b.dial().Call(t.Context(), "/gate", nil, nil), status.HandleTimeout)
}

func TestF20CallEndsAtItsDeadlineAndTheLateReplyIsCounted(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	address, conns := silentServer(t)
	s, err := b.client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	peer := newRawPeer(t, within(t, 5*time.Second, "a connection", conns))
	start := time.Now()
	err = s.Call(timeout(t, 50*time.Millisecond), "/slow", nil, nil)
	if wantCode(t, err, status.HandleTimeout); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("returned after %v", d)
	}
	call := peer.mustRead()
	if call.Meta.Value("X-Timeout-Ms") == "" {
		t.Errorf("no deadline in %v", call.Meta)
	}
	peer.send(&message.Message{Seq: call.Seq, Type: message.Reply})
	eventually(t, "the late reply is counted", func() bool { return b.client.Stats().LateReplies == 1 })
}

func TestDeadlineTravelsAndTheShorterOneCounts(t *testing.T) {
	everywhere(t, rpc.Config{HandlerTimeout: time.Hour}, func(t *testing.T, b *bed) {
		mustHandle(t, b.server, "/left", func(ctx rpc.Context, _ any) (float64, error) {
			deadline, _ := ctx.Deadline()
			return time.Until(deadline).Minutes(), nil
		})
		s := b.dial()
		var left float64
		for want, ctx := range map[float64]context.Context{
			60: t.Context(), 10: timeout(t, 10*time.Minute), 60.0001: timeout(t, 2*time.Hour),
		} {
			if err := s.Call(ctx, "/left", nil, &left); err != nil || left > want || left < want-1 {
				t.Errorf("got %v minutes, %v, want %v", left, err, want)
			}
		}
		for _, nonsense := range []string{"-5", "0", "x", "1e3", "99999999999999999999"} {
			if err := s.Call(t.Context(), "/left", nil, &left, rpc.WithMeta("X-Timeout-Ms", nonsense)); err != nil || left < 59 {
				t.Errorf("%s: got %v minutes, %v", nonsense, left, err)
			}
		}
		if err := s.Call(t.Context(), "/left", nil, &left, rpc.WithMeta("X-Timeout-Ms", "9223372036854775807")); err != nil || left < 59 {
			t.Errorf("a very patient caller: got %v minutes, %v", left, err)
		}
	})
}

func TestF21ReplyWithABodyAndNoCodecIs400(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	address, conns := silentServer(t)
	s, err := b.client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	peer := newRawPeer(t, within(t, 5*time.Second, "a connection", conns))
	go func() {
		for range 2 {
			m, err := peer.read()
			if err != nil {
				return
			}
			peer.p.Pack(&message.Message{Seq: m.Seq, Type: message.Reply, Codec: 0, Body: []byte("7")})
		}
	}()
	wantCode(t, s.Call(timeout(t, 10*time.Second), "/a", nil, new(int)), status.BadMessage)
	wantCode(t, s.Call(timeout(t, 10*time.Second), "/a", nil, nil), status.BadMessage)
}

func TestF23HandlerClosesItsOwnSession(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		closed := make(chan struct{})
		goOn := make(chan struct{})
		mustHandle(t, b.server, "/close", func(ctx rpc.Context, _ any) (string, error) {
			ctx.Session().Close()
			close(closed)
			<-goOn
			return "bye", ctx.Err()
		})
		s := b.dial()
		replied := make(chan error, 1)
		var got string
		go func() { replied <- s.Call(t.Context(), "/close", nil, &got) }()
		within(t, 10*time.Second, "Close returns", closed)
		close(goOn)
		// The session ends after the handler: its reply still comes.
		if err := within(t, 10*time.Second, "the reply", replied); err != nil || got != "bye" {
			t.Errorf("got %q, %v", got, err)
		}
		within(t, 10*time.Second, "the session ends", s.Done())
	})
}

func TestCloseOutlivesNoHandlerThatHangs(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{CloseTime: 300 * time.Millisecond}})
	g := newGate(t, b.server)
	s := b.dial()
	go s.Call(t.Context(), "/gate", nil, nil)
	ctx := within(t, 10*time.Second, "the handler runs", g.entered)
	ctx.Session().Close()
	within(t, 10*time.Second, "the session ends", ctx.Session().Done())
	if ctx.Err() == nil {
		t.Error("the handler's context goes on")
	}
	if err := b.server.Close(); err == nil || !strings.Contains(err.Error(), "1 handlers still run") {
		t.Errorf("closing the endpoint with a handler that hangs: %v", err)
	}
	close(g.open)
}

func TestF24ShutdownReturnsAtItsDeadlineAndNamesTheCalls(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server)
	defer close(g.open)
	address, conns := silentServer(t)
	s, err := b.server.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 2)
	go func() { results <- b.dial().Call(t.Context(), "/gate", nil, nil) }()
	within(t, 10*time.Second, "the handler runs", g.entered)
	go func() { results <- s.Call(t.Context(), "/silent", nil, nil) }()
	newRawPeer(t, within(t, 10*time.Second, "a connection", conns)).mustRead()

	start := time.Now()
	ctx := timeout(t, 100*time.Millisecond)
	result := make(chan error, 1)
	go func() { result <- b.server.Shutdown(ctx) }()
	<-ctx.Done()
	wantCode(t, within(t, 10*time.Second, "a call ends", results), status.ConnectionClosed)
	wantCode(t, within(t, 10*time.Second, "a call ends", results), status.ConnectionClosed)
	g.open <- struct{}{}
	err = within(t, 10*time.Second, "Shutdown returns", result)
	var cut *rpc.CutError
	if !errors.As(err, &cut) || len(cut.Calls) != 2 || cut.Sessions != 2 {
		t.Fatalf("after %v: %v", time.Since(start), err)
	}
	for _, c := range cut.Calls {
		if (c.Method == "/gate") != c.Incoming || c.Method != "/gate" && c.Method != "/silent" || c.Age <= 0 || c.Peer == "" {
			t.Errorf("cut %+v", c)
		}
		if !strings.Contains(err.Error(), c.Method+" #") {
			t.Errorf("%s is not in %q", c.Method, err)
		}
	}
}

func TestF25PeerThatStopsInMidFrameIsClosed(t *testing.T) {
	everywhere(t, rpc.Config{Limits: rpc.Limits{FrameTime: 50 * time.Millisecond}}, func(t *testing.T, b *bed) {
		conn, peer := net.Pipe()
		defer peer.Close()
		s, err := b.server.ServeConn(conn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := peer.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, "the session ends", s.Done())
		if !strings.Contains(b.serverLog.String(), "did not come within 50ms") {
			t.Errorf("log: %s", b.serverLog)
		}
	})
}

// stallingConn is a connection whose handshake never ends by itself.
type stallingConn struct{ net.Conn }

func (stallingConn) HandshakeContext(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestF26HandshakeThatStallsIsClosed(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Limits: rpc.Limits{HandshakeTime: 20 * time.Millisecond}})
	near, far := net.Pipe()
	s, err := e.ServeConn(stallingConn{near})
	if err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the session ends", s.Done())
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

func TestF33OneSlowCallDelaysNobody(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		g := newGate(t, b.server)
		s := b.dial()
		slow := make(chan error, 1)
		go func() { slow <- s.Call(t.Context(), "/gate", nil, nil) }()
		within(t, 10*time.Second, "the slow call runs", g.entered)
		var all sync.WaitGroup
		for range 99 {
			all.Go(func() {
				if err := s.Call(timeout(t, 10*time.Second), "/echo", "x", nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		close(g.open)
		if err := within(t, 10*time.Second, "the slow call ends", slow); err != nil {
			t.Error(err)
		}
	})
}

func TestF34CancelEndsOneCallAndTellsTheHandler(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	g := newGate(t, b.server)
	defer close(g.open)
	s := b.dial()
	// One reply shows that the peer understands a cancel.
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Call(ctx, "/gate", nil, nil) }()
	handler := within(t, 10*time.Second, "the handler runs", g.entered)
	cancel()
	err := within(t, 10*time.Second, "the call ends", ended)
	if wantCode(t, err, status.Cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	within(t, 10*time.Second, "the handler is told", handler.Done())
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("the connection is lost: %v", err)
	}
}

// An older peer logs a warning for each control message: it gets none before it
// has shown that it is none.
func TestCancelIsNotSentToAnOlderPeer(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	address, conns := silentServer(t)
	s, err := b.client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	peer := newRawPeer(t, within(t, 5*time.Second, "a connection", conns))
	for i := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Call(ctx, "/a", nil, nil) }()
		if m := peer.mustRead(); m.Method != "/a" {
			t.Errorf("call %d: the peer got %s", i, m.Method)
		}
		cancel()
		wantCode(t, <-ended, status.Cancelled)
	}
}
