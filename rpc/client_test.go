package rpc_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// countingTransport counts dials and can refuse them.
type countingTransport struct {
	*memory.Network
	dials  atomic.Int64
	refuse atomic.Bool
	hold   chan struct{} // nil, or dials wait for it
}

func (c *countingTransport) Dial(ctx context.Context, address string) (net.Conn, error) {
	c.dials.Add(1)
	if c.refuse.Load() {
		return nil, errors.New("refused by the test")
	}
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.Network.Dial(ctx, address)
}

// countingBed is an endpoint that serves /echo to itself on mem://a.
func countingBed(t *testing.T) (*rpc.Endpoint, *countingTransport) {
	network := &countingTransport{Network: memory.New()}
	e := newEndpoint(t, rpc.Config{Transports: []transport.Transport{network}})
	echo(t, e)
	serve(t, e, "mem://a")
	return e, network
}

// TestCallThatAnEndingSessionRefusesIsMadeAgain on the next one, for it was not executed.
func TestCallThatAnEndingSessionRefusesIsMadeAgain(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	g := newGate(t, b.server)
	c := b.client.Client(b.address)
	defer c.Close()
	running := c.Go(t.Context(), "/gate", nil, nil)
	within(t, 10*time.Second, "the handler runs", g.entered)
	b.accepted().SetID("one") // a session in order
	old := b.accepted()
	other := b.dial()
	defer other.Close()
	eventually(t, "the other session is there", func() bool { return len(b.server.Sessions()) == 2 })
	for _, s := range b.server.Sessions() {
		if s != old {
			s.SetID("one")
		}
	}
	eventually(t, "the old one is to end", func() bool { return !old.Healthy() })
	for range 50 {
		if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Errorf("got %v", err)
		}
	}
	close(g.open)
	if err := running.Wait(); err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	eventually(t, "the old one has ended", func() bool { return c.Call(t.Context(), "/echo", "x", nil) == nil })
}

func TestF55FirstCallsAtOnceDialOnce(t *testing.T) {
	e, network := countingBed(t)
	network.hold = make(chan struct{})
	c := e.Client("mem://a")
	results := make(chan error, 20)
	for range 20 {
		go func() { results <- c.Call(t.Context(), "/echo", "x", nil) }()
	}
	eventually(t, "somebody dials", func() bool { return network.dials.Load() > 0 })
	// Who gives up takes nobody along.
	wantCode(t, c.Call(timeout(t, 10*time.Millisecond), "/echo", "x", nil), status.HandleTimeout)
	close(network.hold)
	for range 20 {
		if err := within(t, 10*time.Second, "a reply", results); err != nil {
			t.Error(err)
		}
	}
	if n := network.dials.Load(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
}

func TestF45RedialCountsFailuresInARowOnly(t *testing.T) {
	e, network := countingBed(t)
	c := e.Client("mem://a", rpc.WithRedial(rpc.Redial{Attempts: 3, Wait: time.Millisecond}))
	for range 10 {
		if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
		for _, s := range e.Sessions() {
			s.Close()
			within(t, 10*time.Second, "the session ends", s.Done())
		}
	}
	network.refuse.Store(true)
	before := network.dials.Load()
	err := c.Call(t.Context(), "/echo", "x", nil)
	if wantCode(t, err, status.DialFailed); network.dials.Load()-before != 3 {
		t.Errorf("%d attempts: %v", network.dials.Load()-before, err)
	}
	network.refuse.Store(false)
	if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

// brokenServer reads a call and hangs up, a given number of times; then it
// answers.
func brokenServer(t *testing.T, breaks int, farewell func(p *rawPeer, call *message.Message)) (address string, calls *atomic.Int64) {
	address, conns := silentServer(t)
	calls = new(atomic.Int64)
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var conn net.Conn
			select {
			case conn = <-conns:
			case <-stop:
				return
			}
			p := newRawPeer(t, conn)
			for {
				m, err := p.read()
				if err != nil {
					break
				}
				if calls.Add(1) <= int64(breaks) {
					farewell(p, m)
					conn.Close()
					break
				}
				p.p.Pack(&message.Message{Seq: m.Seq, Type: message.Reply})
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
	return address, calls
}

func TestF54LostCallIsRepeatedOnlyIfThatIsSafe(t *testing.T) {
	silent := func(*rawPeer, *message.Message) {}
	final := func(p *rawPeer, call *message.Message) {
		m := &message.Message{Seq: 1, Type: message.Push, Method: "/_goaway"}
		m.Meta.Set("seq", "0")
		m.Meta.Set("deadline_ms", "0")
		p.p.Pack(m)
	}
	tests := []struct {
		name     string
		farewell func(*rawPeer, *message.Message)
		opts     []rpc.CallOption
		code     status.Code
		calls    int64
	}{
		{"maybe executed", silent, nil, status.ConnectionClosed, 1},
		{"idempotent", silent, []rpc.CallOption{rpc.Idempotent()}, status.OK, 3},
		{"certainly not executed", final, nil, status.OK, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, calls := brokenServer(t, 2, test.farewell)
			e := newEndpoint(t, rpc.Config{})
			c := e.Client(address)
			defer e.Close()
			wantCode(t, c.Call(timeout(t, 20*time.Second), "/a", nil, nil, test.opts...), test.code)
			if n := calls.Load(); n != test.calls {
				t.Errorf("the server saw %d calls", n)
			}
		})
	}
}

func TestClientCloseEndsThoseWhoWait(t *testing.T) {
	e, network := countingBed(t)
	g := newGate(t, e)
	defer close(g.open)
	c := e.Client("mem://a")
	running := make(chan error, 1)
	go func() { running <- c.Call(t.Context(), "/gate", nil, nil) }()
	within(t, 10*time.Second, "a call runs", g.entered)

	network.hold = make(chan struct{})
	waiting := make(chan error, 1)
	other := e.Client("mem://a")
	go func() { waiting <- other.Call(t.Context(), "/echo", "x", nil) }()
	eventually(t, "it dials", func() bool { return network.dials.Load() == 2 })
	c.Close()
	other.Close()
	wantCode(t, within(t, 10*time.Second, "the call ends", running), status.ConnectionClosed)
	if err := within(t, 10*time.Second, "the wait ends", waiting); status.CodeOf(err) != status.DialFailed {
		t.Errorf("got %v", err)
	}
	err := c.Call(t.Context(), "/echo", "x", nil)
	if wantCode(t, err, status.ConnectionClosed); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestOnConnectThatFailsIsAFailedAttempt(t *testing.T) {
	e, network := countingBed(t)
	var mu sync.Mutex
	results := []func() error{
		func() error { return errors.New("no") },
		func() error { panic("no") },
		func() error { return nil },
	}
	c := e.Client("mem://a", rpc.WithRedial(rpc.Redial{Wait: time.Millisecond}), rpc.OnConnect(func(ctx context.Context, s *rpc.Session) error {
		mu.Lock()
		defer mu.Unlock()
		f := results[0]
		results = results[1:]
		return f()
	}))
	if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
	if n := network.dials.Load(); n != 3 {
		t.Errorf("dialled %d times", n)
	}
	c.Close()
}

func TestDialErrors(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Limits: rpc.Limits{DialTime: 20 * time.Millisecond}})
	for _, address := range []string{"", "127.0.0.1:1", "quic://a", "tcp://127.0.0.1:1", "unix:///nonexistent/s"} {
		_, err := e.Dial(t.Context(), address)
		wantCode(t, err, status.DialFailed)
	}
	network := &countingTransport{Network: memory.New(), hold: make(chan struct{})}
	slow := newEndpoint(t, rpc.Config{Limits: rpc.Limits{DialTime: 20 * time.Millisecond}, Transports: []transport.Transport{network}})
	_, err := slow.Dial(t.Context(), "mem://a")
	if wantCode(t, err, status.DialFailed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	slow.Close()
	if _, err := slow.Dial(t.Context(), "mem://a"); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("closed endpoint: %v", err)
	}
}

// drainingServer drains for ever and still accepts on mem://a of the network.
func drainingServer(t *testing.T, network *countingTransport) {
	server := newEndpoint(t, rpc.Config{})
	echo(t, server)
	server.Drain()
	ln, err := network.Listen(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := server.ServeConn(conn); err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-accepting
	})
}

func TestGoawayOnEveryConnectionIsNoReasonToDialForEachCall(t *testing.T) {
	for name, opts := range map[string][]rpc.ClientOption{
		"on demand": nil,
		"kept":      {rpc.OnConnect(func(context.Context, *rpc.Session) error { return nil })},
	} {
		t.Run(name, func(t *testing.T) {
			network := &countingTransport{Network: memory.New()}
			drainingServer(t, network)
			client := newEndpoint(t, rpc.Config{Transports: []transport.Transport{network}})
			c := client.Client("mem://a", opts...)
			start := time.Now()
			const calls = 1000
			for range calls {
				if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
					t.Fatal(err)
				}
			}
			client.Close()
			most := 52 + int64(time.Since(start)/(20*time.Millisecond))
			if n := network.dials.Load(); n > most || n < 2 {
				t.Errorf("dialled %d times for %d calls, at most %d would do", n, calls, most)
			}
		})
	}
}
