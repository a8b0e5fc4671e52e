package overload_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/plugin/overload"
	"github.com/dserver/dserver/rpc/status"
)

// gate is a route whose handlers tell their number and wait to be let through.
type gate struct {
	entered chan int
	through chan struct{}
}

func newGate(t *testing.T, r rpc.Registrar, opts ...rpc.RouteOption) *gate {
	g := &gate{make(chan int, 1000), make(chan struct{})}
	rpctest.Handle(t, r, "/gate", func(_ rpc.Context, n int) (any, error) {
		g.entered <- n
		<-g.through
		return nil, nil
	}, opts...)
	rpctest.HandlePush(t, r, "/gate", func(_ rpc.Context, n int) error {
		g.entered <- n
		<-g.through
		return nil
	}, opts...)
	return g
}

// bed is an endpoint with the plugin, its gate, and a session that calls it.
func bed(t *testing.T, o overload.Options, opts ...rpc.RouteOption) (*overload.Plugin, *gate, *rpc.Session, *rpc.Endpoint) {
	p := overload.New(o)
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	g := newGate(t, e, opts...)
	s := rpctest.Dial(t, rpctest.Endpoint(t, rpc.Config{}), rpctest.OnLoopback(t, e))
	return p, g, s, e
}

// waiting starts a call and waits until n of them wait.
func waiting(t *testing.T, p *overload.Plugin, s *rpc.Session, ctx context.Context, n int) *rpc.Async {
	t.Helper()
	a := s.Go(ctx, "/gate", n, nil)
	rpctest.Eventually(t, "it waits", func() bool { return p.Stats().Waiting == n })
	return a
}

func TestMessagesWaitInOrderAndTheRestIsShed(t *testing.T) {
	p, g, s, _ := bed(t, overload.Options{Running: 1, Waiting: 3, Wait: time.Hour})
	calls := []*rpc.Async{s.Go(t.Context(), "/gate", 0, nil)}
	rpctest.Receive(t, "the first runs", g.entered)
	for n := 1; n <= 3; n++ {
		calls = append(calls, waiting(t, p, s, t.Context(), n))
	}
	st := rpctest.Code(t, s.Call(t.Context(), "/gate", 4, nil), status.Overloaded)
	if !st.Retry || st.Cause != "1 handlers run and 3 messages wait" {
		t.Errorf("got %+v", st)
	}
	for n := 1; n <= 3; n++ {
		g.through <- struct{}{}
		if got := rpctest.Receive(t, "the next one runs", g.entered); got != n {
			t.Errorf("%d runs, it is the turn of %d", got, n)
		}
	}
	close(g.through)
	for _, a := range calls {
		if err := a.Wait(); err != nil {
			t.Error(err)
		}
	}
	rpctest.Eventually(t, "all places are free", func() bool { return p.Stats().Running == 0 })
	if got, want := p.Stats(), (overload.Stats{Admitted: 4, Shed: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWaitingEnds(t *testing.T) {
	p, g, s, e := bed(t, overload.Options{Running: 1, Wait: 50 * time.Millisecond})
	defer close(g.through)
	go s.Call(t.Context(), "/gate", 0, nil)
	rpctest.Receive(t, "one runs", g.entered)
	st := rpctest.Code(t, s.Call(t.Context(), "/gate", 1, nil), status.Overloaded)
	if !st.Retry || st.Cause != "no handler was free within 50ms" {
		t.Errorf("got %+v", st)
	}
	if got := p.Stats(); got.Expired != 1 || got.Waiting != 0 {
		t.Errorf("got %+v", got)
	}
	if err := s.Push(t.Context(), "/gate", 2); err != nil {
		t.Fatal(err)
	}
	rpctest.Eventually(t, "the push is dropped", func() bool { return e.Stats().DroppedPushes == 1 })
}

func TestWaitingEndsWithItsCaller(t *testing.T) {
	p, g, s, e := bed(t, overload.Options{Running: 1, Waiting: 1, Wait: time.Hour})
	defer close(g.through)
	rpctest.Handle(t, e, "/hello", func(rpc.Context, any) (any, error) { return nil, nil })
	if err := s.Call(t.Context(), "/hello", nil, nil); err != nil { // it shows that a cancel is understood
		t.Fatal(err)
	}
	rpctest.Eventually(t, "its place is free", func() bool { return p.Stats().Running == 0 })
	go s.Call(t.Context(), "/gate", 0, nil)
	rpctest.Receive(t, "one runs", g.entered)

	rpctest.Code(t, s.Call(rpctest.Timeout(t, 50*time.Millisecond), "/gate", 1, nil), status.HandleTimeout)
	rpctest.Eventually(t, "the one with a deadline is gone", func() bool { return p.Stats().Gone == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	call := waiting(t, p, s, ctx, 1)
	cancel()
	rpctest.Code(t, call.Wait(), status.Cancelled)
	rpctest.Eventually(t, "the one that was cancelled is gone", func() bool { return p.Stats().Gone == 2 })
	other := rpctest.Dial(t, rpctest.Endpoint(t, rpc.Config{}), "tcp://"+s.RemoteAddr().String())
	call = waiting(t, p, other, t.Context(), 1)
	other.Shutdown(rpctest.Timeout(t, time.Millisecond))
	rpctest.Code(t, call.Wait(), status.ConnectionClosed)
	rpctest.Eventually(t, "the one without a session is gone", func() bool { return p.Stats().Gone == 3 })
	if got := p.Stats(); got.Running != 1 || got.Waiting != 0 {
		t.Errorf("got %+v", got)
	}
}

// lingering keeps whoever sends a reply after it is written.
type lingering chan struct{}

func (lingering) Name() string                         { return "lingering" }
func (l lingering) AfterWriteReply(rpc.WriteCtx) error { <-l; return nil }

// TestWhoHasItsAnswerMayCallAgain, although who sent the answer is not done.
func TestWhoHasItsAnswerMayCallAgain(t *testing.T) {
	l := make(lingering)
	_, g, s, e := bed(t, overload.Options{Running: 1, Waiting: -1}, rpc.WithPlugins(l))
	rpctest.Handle(t, e, "/fail", func(rpc.Context, any) (any, error) { return nil, errors.New("no") }, rpc.WithPlugins(l))
	defer close(l)
	close(g.through)
	for n := range 20 {
		if err := s.Call(t.Context(), "/gate", n, nil); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		rpctest.Code(t, s.Call(t.Context(), "/fail", nil, nil), status.InternalServerError)
	}
}

// TestF19PlaceIsTakenUntilTheHandlerReturns, though its caller was answered.
func TestF19PlaceIsTakenUntilTheHandlerReturns(t *testing.T) {
	p, g, s, _ := bed(t, overload.Options{Running: 1, Waiting: -1}, rpc.WithTimeout(50*time.Millisecond))
	rpctest.Code(t, s.Call(t.Context(), "/gate", 0, nil), status.HandleTimeout)
	rpctest.Code(t, s.Call(t.Context(), "/gate", 1, nil), status.Overloaded)
	close(g.through)
	rpctest.Eventually(t, "the place is free", func() bool { return p.Stats().Running == 0 })
	if err := s.Call(t.Context(), "/gate", 2, nil); err != nil {
		t.Error(err)
	}
}

func TestPlacesAreFreeAfterErrorsAndPanics(t *testing.T) {
	p, _, s, e := bed(t, overload.Options{Running: 1, Waiting: -1})
	rpctest.Handle(t, e, "/fail", func(rpc.Context, any) (any, error) { return nil, errors.New("no") })
	rpctest.Handle(t, e, "/panic", func(rpc.Context, any) (any, error) { panic("no") })
	for method, code := range map[string]status.Code{
		"/fail": status.InternalServerError, "/panic": status.InternalServerError, "/gate": status.BadMessage, "/nowhere": status.NotFound,
	} {
		rpctest.Code(t, s.Call(t.Context(), method, "text", nil), code)
		rpctest.Eventually(t, "the place is free", func() bool { return p.Stats().Running == 0 })
	}
}

// TestPluginBoundsWhereItStands: a group, a route, or all; one that stands twice counts
// once.
func TestPluginBoundsWhereItStands(t *testing.T) {
	all := overload.New(overload.Options{Running: 3, Waiting: -1})
	few := overload.New(overload.Options{Running: 1, Waiting: -1})
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{all}})
	group := newGate(t, e.Group("group", few, all))
	free := newGate(t, e)
	s := rpctest.Dial(t, rpctest.Endpoint(t, rpc.Config{}), rpctest.OnLoopback(t, e))
	go s.Call(t.Context(), "/group/gate", 0, nil)
	rpctest.Receive(t, "one of the group runs", group.entered)
	rpctest.Code(t, s.Call(t.Context(), "/group/gate", 1, nil), status.Overloaded)
	rpctest.Eventually(t, "the one that was shed is gone", func() bool { return all.Stats().Running == 1 })
	for range 2 {
		go s.Call(t.Context(), "/gate", 0, nil)
		rpctest.Receive(t, "another one runs", free.entered)
	}
	rpctest.Code(t, s.Call(t.Context(), "/gate", 1, nil), status.Overloaded)
	close(free.through)
	close(group.through)
	rpctest.Eventually(t, "all are done", func() bool { return all.Stats().Running == 0 && few.Stats().Running == 0 })
}

func TestDefaults(t *testing.T) {
	p, g, s, _ := bed(t, overload.Options{})
	close(g.through)
	if err := s.Call(t.Context(), "/gate", 0, nil); err != nil || p.Name() != "overload" {
		t.Error(err)
	}
}

func TestBoundsHoldUnderLoad(t *testing.T) {
	const running, callers, calls = 4, 32, 100
	p := overload.New(overload.Options{Running: running, Waiting: 8, Wait: time.Millisecond})
	e := rpctest.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{p}})
	var now, peak, done, refused atomic.Int64
	rpctest.Handle(t, e, "/work", func(ctx rpc.Context, _ any) (any, error) {
		defer now.Add(-1)
		for n := now.Add(1); ; {
			if old := peak.Load(); old >= n || peak.CompareAndSwap(old, n) {
				break
			}
		}
		select {
		case <-time.After(100 * time.Microsecond):
		case <-ctx.Done():
		}
		return nil, nil
	})
	client := rpctest.Endpoint(t, rpc.Config{})
	address := rpctest.OnLoopback(t, e)
	var all sync.WaitGroup
	for range callers {
		s := rpctest.Dial(t, client, address)
		all.Go(func() {
			for i := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%20)*time.Millisecond)
				err := s.Call(ctx, "/work", nil, nil)
				cancel()
				switch status.CodeOf(err) {
				case status.OK:
					done.Add(1)
				case status.Overloaded, status.HandleTimeout:
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	rpctest.Eventually(t, "all places are free", func() bool { s := p.Stats(); return s.Running == 0 && s.Waiting == 0 })
	got := p.Stats()
	if peak.Load() > running || done.Load() == 0 || done.Load()+refused.Load() != callers*calls || got.Admitted < done.Load() {
		t.Errorf("%d ran at once, %d done, %d refused, %+v", peak.Load(), done.Load(), refused.Load(), got)
	}
	t.Logf("%d done, %d refused, %+v", done.Load(), refused.Load(), got)
}
