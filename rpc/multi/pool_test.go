package multi_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/multi"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// network counts dials and lets no more through than it is told to.
type network struct {
	*memory.Network
	dials, allowed atomic.Int64
}

func (n *network) Dial(ctx context.Context, address string) (net.Conn, error) {
	if n.dials.Add(1) > n.allowed.Load() {
		return nil, errors.New("refused by the test")
	}
	return n.Network.Dial(ctx, address)
}

// bed is a server with /echo and /gate at mem://a, and a client endpoint.
func bed(t *testing.T, allowed int64) (server, client *rpc.Endpoint, net *network, gate chan struct{}, entered chan *rpc.Session) {
	net = &network{Network: memory.New()}
	net.allowed.Store(allowed)
	c := rpc.Config{Transports: []transport.Transport{net}}
	server, client = rpctest.Endpoint(t, c), rpctest.Endpoint(t, c)
	gate, entered = make(chan struct{}), make(chan *rpc.Session, 1000)
	rpctest.Handle(t, server, "/echo", func(ctx rpc.Context, text string) (string, error) {
		return text, nil
	})
	rpctest.Handle(t, server, "/gate", func(ctx rpc.Context, _ any) (any, error) {
		entered <- ctx.Session()
		<-gate
		return nil, nil
	})
	rpctest.Serve(t, server, "mem://a")
	return server, client, net, gate, entered
}

func TestConnectionsGrowWithTheCallsUnderWay(t *testing.T) {
	server, client, net, gate, entered := bed(t, 100)
	p := multi.New(client, "mem://a", multi.Options{Size: 3})
	defer p.Close()
	if p.Size() != 3 || p.Address() != "mem://a" {
		t.Errorf("size %d, address %s", p.Size(), p.Address())
	}
	for range 10 {
		if err := p.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := net.dials.Load(); n != 1 {
		t.Errorf("%d connections for one call at a time", n)
	}
	perSession := make(map[*rpc.Session]int)
	var calls []*rpc.Async
	for range 6 {
		calls = append(calls, p.Go(t.Context(), "/gate", nil, nil))
		perSession[rpctest.Receive(t, "a handler runs", entered)]++
	}
	if p.Pending() != 6 || len(perSession) != 3 || len(server.Sessions()) != 3 {
		t.Errorf("%d calls on %d sessions", p.Pending(), len(perSession))
	}
	for _, n := range perSession {
		if n != 2 {
			t.Errorf("calls per session: %v", perSession)
		}
	}
	close(gate)
	for _, a := range calls {
		if err := a.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestRoundRobinTakesOneAfterTheOther(t *testing.T) {
	_, client, net, _, _ := bed(t, 100)
	p := multi.New(client, "mem://a", multi.Options{Pick: multi.RoundRobin})
	defer p.Close()
	for range 8 {
		if err := p.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := net.dials.Load(); n != 4 {
		t.Errorf("%d connections for 4 clients", n)
	}
}

func TestF28DialThatFailsIsTheErrorOfTheCall(t *testing.T) {
	_, client, net, _, _ := bed(t, 0)
	p := multi.New(client, "mem://a", multi.Options{Client: []rpc.ClientOption{rpc.WithRedial(rpc.Redial{Attempts: 2, Wait: time.Millisecond})}})
	defer p.Close()
	call := p.Go(t.Context(), "/echo", "x", nil)
	rpctest.Receive(t, "the call ends", call.Done())
	rpctest.Code(t, call.Wait(), status.DialFailed)
	rpctest.Code(t, p.Call(t.Context(), "/echo", "x", nil), status.DialFailed)
	rpctest.Code(t, p.Push(t.Context(), "/echo", "x"), status.DialFailed)
	// The options are those of the clients, and each call asked one of them.
	if n := net.dials.Load(); n != 6 {
		t.Errorf("%d dials for 3 calls", n)
	}
	net.allowed.Store(100)
	if err := p.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestClientThatCannotConnectDrawsNoCalls: it has the fewest under way for ever.
func TestClientThatCannotConnectDrawsNoCalls(t *testing.T) {
	_, client, net, gate, entered := bed(t, 1)
	p := multi.New(client, "mem://a", multi.Options{Size: 3, Client: []rpc.ClientOption{rpc.WithRedial(rpc.Redial{Attempts: 1, Wait: time.Millisecond})}})
	defer p.Close()
	var calls []*rpc.Async
	for range 20 {
		calls = append(calls, p.Go(t.Context(), "/gate", nil, nil))
		rpctest.Receive(t, "a handler runs, on the one connection", entered)
	}
	// A second may pass meanwhile, after which they are tried again.
	if n := net.dials.Load(); n > 9 {
		t.Errorf("%d dials for 20 calls", n)
	}
	close(gate)
	for _, a := range calls {
		if err := a.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestClose(t *testing.T) {
	_, client, _, gate, entered := bed(t, 100)
	defer close(gate)
	p := multi.New(client, "mem://a", multi.Options{Size: 2})
	call := p.Go(t.Context(), "/gate", nil, nil)
	rpctest.Receive(t, "a handler runs", entered)
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	rpctest.Code(t, call.Wait(), status.ConnectionClosed)
	if err := p.Call(t.Context(), "/echo", "x", nil); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("got %v", err)
	}
	unused := multi.New(client, "mem://a", multi.Options{Size: -1})
	if unused.Size() != 1 || multi.New(client, "mem://a", multi.Options{Size: 1 << 20}).Size() != 1024 {
		t.Error("a size out of bounds stays")
	}
}

func TestPoolUnderLoadWhileConnectionsAreLost(t *testing.T) {
	server, client, _, _, _ := bed(t, 1<<30)
	for _, pick := range []multi.Pick{multi.LeastPending, multi.RoundRobin} {
		p := multi.New(client, "mem://a", multi.Options{Pick: pick})
		var all sync.WaitGroup
		var done atomic.Int64
		for range 16 {
			all.Go(func() {
				for range 200 {
					var text string
					err := p.Call(t.Context(), "/echo", "x", &text, rpc.Idempotent())
					if err == nil && text == "x" {
						done.Add(1)
					} else if st, _ := status.From(err); st == nil || !st.Retry && st.Code != status.ConnectionClosed {
						t.Errorf("got %q, %v", text, err)
					}
				}
			})
		}
		for range 10 {
			before := done.Load()
			rpctest.Eventually(t, "calls succeed", func() bool { return done.Load() > before+50 || done.Load() > 1000 })
			for _, s := range server.Sessions() {
				s.Close()
			}
		}
		all.Wait()
		if done.Load() < 1000 || p.Pending() != 0 {
			t.Errorf("%d of 3200 calls succeeded, %d are pending", done.Load(), p.Pending())
		}
		p.Close()
	}
}
