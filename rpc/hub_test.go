package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// login registers /login, which names the session after its caller.
func login(t *testing.T, e *rpc.Endpoint) {
	t.Helper()
	mustHandle(t, e, "/login", func(ctx rpc.Context, name string) (string, error) {
		ctx.Session().SetID(name)
		return ctx.Session().ID(), nil
	})
}

func TestF47SecondSessionTakesTheIDOver(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		login(t, b.server)
		first := b.dial()
		var name string
		if err := first.Call(t.Context(), "/login", "user-1", &name); err != nil || name != "user-1" {
			t.Fatalf("got %q, %v", name, err)
		}
		old, ok := b.server.Session("user-1")
		if !ok || !slices.Contains(b.server.Sessions(), old) {
			t.Fatal("the first session is not found")
		}
		second := b.dial()
		if err := second.Call(t.Context(), "/login", "user-1", &name); err != nil {
			t.Fatal(err)
		}
		found, ok := b.server.Session("user-1")
		if !ok || found == old {
			t.Errorf("found %v, %v", found, ok)
		}
		count := 0
		for _, s := range b.server.Sessions() {
			if s.ID() == "user-1" {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d sessions have the id", count)
		}
		within(t, 10*time.Second, "the first session ends", first.Done())
		within(t, 10*time.Second, "its other end, too", old.Done())
		if !errors.Is(old.Err(), rpc.ErrReplaced) || !errors.Is(first.Err(), io.EOF) {
			t.Errorf("ended with %v and %v", old.Err(), first.Err())
		}
		if found, ok = b.server.Session("user-1"); !ok || found == old {
			t.Error("the end of the first session takes the id from the second")
		}
		if err := second.Call(t.Context(), "/login", "user-1", &name); err != nil {
			t.Errorf("the second session: %v", err)
		}
	})
}

func TestIDsOfManySessionsAtOnce(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	login(t, b.server)
	var all sync.WaitGroup
	for range 20 {
		s := b.dial()
		all.Go(func() {
			// It may be closed by the time of its reply.
			if err := s.Call(t.Context(), "/login", "user-1", nil); err != nil && status.CodeOf(err) != status.ConnectionClosed {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "one is left", func() bool { return b.server.Stats().Sessions == 1 })
	if s, ok := b.server.Session("user-1"); !ok || !s.Healthy() {
		t.Error("it is not found by its id")
	}
}

func TestSessionIsFoundByItsNumberUntilItHasAnID(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	b.dial()
	s := b.accepted()
	number := s.ID()
	if found, ok := b.server.Session(number); !ok || found != s {
		t.Errorf("number %s is not found", number)
	}
	s.SetID("a")
	s.SetID("b")
	for id, want := range map[string]bool{number: false, "a": false, "b": true, "": false, "none": false, "99": false, "-1": false} {
		if _, ok := b.server.Session(id); ok != want {
			t.Errorf("%q is found: %v", id, ok)
		}
	}
	s.SetID("")
	if found, ok := b.server.Session(number); !ok || found != s || s.ID() != number {
		t.Errorf("without a name it is %q, found %v", s.ID(), ok)
	}
	s.SetID("b")
	s.Close()
	if _, ok := b.server.Session("b"); ok {
		t.Error("a session that ends is found")
	}
	within(t, 10*time.Second, "the session ends", s.Done())
	if s.ID() != "b" {
		t.Errorf("afterwards it is called %q", s.ID())
	}
}

func TestEndedSessionTakesNoIDFromOthers(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	b.dial()
	dead := b.accepted()
	dead.Close()
	within(t, 10*time.Second, "the session ends", dead.Done())
	b.dial()
	s := b.accepted()
	s.SetID("user-1")
	dead.SetID("user-1")
	if found, ok := b.server.Session("user-1"); !ok || found != s || !s.Healthy() {
		t.Errorf("found %v, %v", found, ok)
	}
}

// redials counts how often a client has dialled again.
type redials struct{ count atomic.Int64 }

func (*redials) Name() string { return "redials" }
func (r *redials) AfterDial(_ rpc.EarlySession, redial bool) error {
	if redial {
		r.count.Add(1)
	}
	return nil
}

type attributeKey struct{}

func TestF46ClientKeepsIDAndAttributes(t *testing.T) {
	keep := rpc.OnConnect(func(context.Context, *rpc.Session) error { return nil })
	for name, opts := range map[string][]rpc.ClientOption{"by calls": nil, "by itself": {keep}} {
		t.Run(name, func(t *testing.T) {
			again := new(redials)
			b := newBed(t, rpc.Config{}, rpc.Config{Plugins: []rpc.Plugin{again}}, "tcp://127.0.0.1:0")
			echo(t, b.server)
			c := b.client.Client(b.address, opts...)
			defer c.Close()
			c.Attributes().Store(attributeKey{}, "kept")
			if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
				t.Fatal(err)
			}
			s, ok := c.Session()
			if !ok {
				t.Fatal("the client has no session")
			}
			s.SetID("user-1")
			for n := int64(1); n <= 5; n++ {
				old, ok := b.client.Session("user-1")
				if !ok {
					t.Fatal("there is no session with the id")
				}
				if v, _ := old.Attributes().Load(attributeKey{}); v != "kept" || old.Attributes() != c.Attributes() {
					t.Errorf("session %d has the attribute %v", n, v)
				}
				b.accepted().Close()
				within(t, 10*time.Second, "the session is lost", old.Done())
				if opts == nil {
					if err := c.Call(t.Context(), "/echo", "x", nil); err != nil {
						t.Error(err)
					}
				}
				eventually(t, "another one has the id", func() bool {
					s, ok := b.client.Session("user-1")
					return ok && s != old && len(b.server.Sessions()) == 1
				})
				if got := again.count.Load(); got != n {
					t.Errorf("%d redials after %d losses", got, n)
				}
			}
		})
	}
}

// TestF48SessionThatIsTooOldFinishesWhatRuns with a client that moves.
func TestF48SessionThatIsTooOldFinishesWhatRuns(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		g := newGate(t, b.server)
		c := b.client.Client(b.address)
		defer c.Close()
		slow := make(chan error, 1)
		go func() { slow <- c.Call(t.Context(), "/gate", nil, nil) }()
		old := within(t, 10*time.Second, "a call runs", g.entered).Session()
		old.SetAge(time.Millisecond)
		eventually(t, "new calls go elsewhere", func() bool {
			return c.Call(t.Context(), "/echo", "x", nil) == nil && len(b.server.Sessions()) == 2
		})
		select {
		case <-old.Done():
			t.Error("the session has ended and a call runs")
		default:
		}
		close(g.open)
		if err := within(t, 10*time.Second, "the slow call ends", slow); err != nil {
			t.Error(err)
		}
		within(t, 10*time.Second, "the session ends", old.Done())
		if !errors.Is(old.Err(), rpc.ErrAge) {
			t.Errorf("it ended with %v", old.Err())
		}
	})
}

// TestSessionAgeOfTheConfiguration counts from the beginning, and who does not leave is
// closed after DrainTime.
func TestSessionAgeOfTheConfiguration(t *testing.T) {
	b := onTCP(t, rpc.Config{SessionAge: 10 * time.Millisecond, Limits: rpc.Limits{DrainTime: 10 * time.Millisecond}})
	s := b.dial() // it obeys no GOAWAY
	within(t, 10*time.Second, "it is told", s.GoingAway())
	within(t, 10*time.Second, "it is closed", s.Done())
	if !errors.Is(s.Err(), io.EOF) {
		t.Errorf("it was closed with %v", s.Err())
	}
}

func TestAgeIsTakenBack(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	kept, aged := b.dial(), b.dial()
	eventually(t, "both are there", func() bool { return len(b.server.Sessions()) == 2 })
	list := b.server.Sessions()
	list[0].SetAge(time.Second)
	list[0].SetAge(0)
	list[1].SetAge(time.Second)
	within(t, 10*time.Second, "the other one is told", aged.GoingAway())
	wantCode(t, kept.Call(t.Context(), "/nowhere", nil, nil), status.NotFound)
	if !kept.Healthy() {
		t.Error("the session is told to go")
	}
}

// TestPushAllWaitsForNobody: one of a hundred does not read.
func TestPushAllWaitsForNobody(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{WriteQueue: 64 << 10}})
	got := make(chan string, 1000)
	mustHandlePush(t, b.client, "/news", func(_ rpc.Context, text string) error {
		got <- text[:1]
		return nil
	})
	for range 99 {
		b.dial()
	}
	near, far := net.Pipe() // takes nothing until it is read
	defer far.Close()
	deaf, err := b.server.ServeConn(near)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are there", func() bool { return len(b.server.Sessions()) == 100 })
	body := strings.Repeat("n", 100<<10)
	// The queue has room for twice the bound, and the batch that is written is outside.
	for range 4 {
		sent, err := b.server.PushAll(t.Context(), "/news", body)
		for range 99 {
			within(t, 10*time.Second, "a push", got)
		}
		if sent == 100 && err == nil {
			continue
		}
		st := wantCode(t, err, status.Overloaded)
		if sent != 99 || !st.Retry || !strings.Contains(err.Error(), "1 of 100 sessions") {
			t.Errorf("%d sent, %v", sent, err)
		}
		if !deaf.Healthy() {
			t.Error("the session has ended")
		}
		return
	}
	t.Error("the queue of the one that does not read has no end")
}

func TestPushAllEncodesOnceAndReportsWhatCannotBeEncoded(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	for range 3 {
		b.dial()
	}
	eventually(t, "all are there", func() bool { return len(b.server.Sessions()) == 3 })
	body := new(countsItself)
	if sent, err := b.server.PushAll(t.Context(), "/none", body); sent != 3 || err != nil || body.n.Load() != 1 {
		t.Errorf("%d sent, encoded %d times, %v", sent, body.n.Load(), err)
	}
	chosen := slices.Values(b.server.Sessions()[1:])
	if sent, err := b.server.PushTo(t.Context(), chosen, "/none", func() {}); sent != 0 || err == nil {
		t.Errorf("%d sent, %v", sent, err)
	}
	if sent, err := b.client.PushAll(t.Context(), "", nil); sent != 0 || status.CodeOf(err) != status.WriteFailed {
		t.Errorf("%d sent, %v", sent, err)
	}
}

type countsItself struct{ n atomic.Int64 }

func (c *countsItself) MarshalJSON() ([]byte, error) {
	c.n.Add(1)
	return []byte(`"x"`), nil
}

func TestF62WaitersOfOneCall(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		g := newGate(t, b.server)
		s := b.dial()
		c := b.client.Client(b.address)
		defer c.Close()
		var text string
		for name, start := range map[string]func() *rpc.Async{
			"session": func() *rpc.Async { return s.Go(t.Context(), "/gate", nil, &text) },
			"client":  func() *rpc.Async { return c.Go(t.Context(), "/gate", nil, new(string)) },
		} {
			call := start()
			within(t, 10*time.Second, "it runs", g.entered)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					<-call.Done()
					if err := call.Wait(); err != nil || call.Took() <= 0 || call.Took() > time.Minute {
						t.Errorf("%s: %v after %v", name, err, call.Took())
					}
				})
			}
			select {
			case <-call.Done():
				t.Errorf("%s: done before the reply", name)
			default:
			}
			g.open <- struct{}{}
			all.Wait()
		}
		if text != "through" {
			t.Errorf("got %q", text)
		}
		wantCode(t, s.Go(t.Context(), "/nowhere", nil, nil).Wait(), status.NotFound)
		own := errors.New("of another kind")
		if err := b.client.Async(func() error { return own }).Wait(); err != own {
			t.Errorf("got %v", err)
		}
	})
}

func TestClientTellsHowManyCallsArePending(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server)
	c := b.client.Client(b.address)
	defer c.Close()
	if s, ok := c.Session(); ok {
		t.Errorf("before its first call it has %v", s)
	}
	var calls []*rpc.Async
	for range 3 {
		calls = append(calls, c.Go(t.Context(), "/gate", nil, nil))
	}
	for range 3 {
		within(t, 10*time.Second, "it runs", g.entered)
	}
	if n := c.Pending(); n != 3 {
		t.Errorf("%d are pending", n)
	}
	close(g.open)
	for _, a := range calls {
		if err := a.Wait(); err != nil {
			t.Error(err)
		}
	}
	s, ok := c.Session()
	if n := c.Pending(); n != 0 || !ok {
		t.Errorf("%d are pending, there is a session: %v", n, ok)
	}
	b.accepted().Close()
	within(t, 10*time.Second, "it is lost", s.Done())
	if _, ok := c.Session(); ok {
		t.Error("a session that is lost is still there")
	}
}
