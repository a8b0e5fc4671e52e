package rpc_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// port is a listening socket that outlives the servers behind it, as the
// master's does: each server gets a view, and what one did not accept the next
// one does.
type port struct {
	net.Listener
	conns chan net.Conn
	done  chan struct{}
}

func newPort(t *testing.T, ln net.Listener) *port {
	p := &port{Listener: ln, conns: make(chan net.Conn), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.conns <- conn
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		for {
			select {
			case conn := <-p.conns:
				conn.Close()
			case <-p.done:
				return
			}
		}
	})
	return p
}

func (p *port) view() net.Listener { return &portView{port: p, closed: make(chan struct{})} }

type portView struct {
	port   *port
	once   sync.Once
	closed chan struct{}
}

func (v *portView) Addr() net.Addr { return v.port.Addr() }

func (v *portView) Close() error {
	v.once.Do(func() { close(v.closed) })
	return nil
}

func (v *portView) Accept() (net.Conn, error) {
	select {
	case <-v.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-v.port.conns:
		return conn, nil
	case <-v.closed:
		return nil, net.ErrClosed
	}
}

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
	where := map[string]string{"tcp": "tcp://127.0.0.1:0", "unix": "unix://" + t.TempDir() + "/p", "mem": "mem://port"}[scheme]
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

// Many callers, and a server that is replaced again and again: no call fails.
func TestReplacingServersUnderLoadFailsNothing(t *testing.T) {
	replacements := 50
	if testing.Short() {
		replacements = 10
	}
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		p, address := movingBed(t, b)
		var pushed atomic.Int64
		current := loadGeneration(t, p, b.config(), 0, &pushed)
		load := startLoad(t, b.client, address, 24)
		var shutdowns sync.WaitGroup
		for i := 1; i <= replacements; i++ {
			load.progress(t, r.IntN(200))
			old := current
			current = loadGeneration(t, p, b.config(), i, &pushed)
			shutdowns.Go(func() {
				if err := old.Shutdown(timeout(t, 60*time.Second)); err != nil {
					t.Errorf("generation %d: %v", i-1, err)
				}
			})
		}
		load.progress(t, 100)
		load.stop()
		shutdowns.Wait()
		eventually(t, "all pushes have come", func() bool { return pushed.Load() == load.pushes.Load() })
		seen := load.generations()
		t.Logf("%d calls, %d pushes over %d generations", load.calls.Load(), load.pushes.Load(), len(seen))
		if len(seen) < replacements/2 || !slices.Contains(seen, replacements) {
			t.Errorf("only generations %v were called", seen)
		}
	})
}

func loadGeneration(t *testing.T, p *port, c rpc.Config, number int, pushed *atomic.Int64) *rpc.Endpoint {
	e := newEndpoint(t, c)
	mustHandlePush(t, e, "/count", func(rpc.Context, int) error {
		pushed.Add(1)
		return nil
	})
	mustHandle(t, e, "/work", func(ctx rpc.Context, wait time.Duration) (int, error) {
		if wait > 0 {
			<-time.After(wait)
		}
		// The other side is asked, too, on whatever connection this came over.
		var twice int
		err := ctx.Session().Call(ctx, "/twice", number, &twice)
		return twice / 2, err
	})
	serveListener(t, e, p.view())
	return e
}

// load is a crowd of callers over one client.
type load struct {
	t             *testing.T
	calls, pushes atomic.Int64
	quit          chan struct{}
	all           sync.WaitGroup
	mu            sync.Mutex
	seen          map[int]bool
}

func startLoad(t *testing.T, e *rpc.Endpoint, address string, callers int) *load {
	mustHandle(t, e, "/twice", func(_ rpc.Context, n int) (int, error) { return 2 * n, nil })
	l := &load{t: t, quit: make(chan struct{}), seen: map[int]bool{}}
	c := e.Client(address)
	for i := range callers {
		l.all.Go(func() { l.run(c, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
	return l
}

func (l *load) run(c *rpc.Client, r *rand.Rand) {
	for {
		select {
		case <-l.quit:
			return
		default:
		}
		wait := time.Duration(0)
		if r.IntN(10) == 0 {
			wait = time.Duration(r.IntN(20)) * time.Millisecond
		}
		var number int
		if err := c.Call(timeout(l.t, 30*time.Second), "/work", wait, &number); err != nil {
			l.t.Errorf("call failed: %v", err)
			return
		}
		if err := c.Push(l.t.Context(), "/count", number); err != nil {
			l.t.Errorf("push failed: %v", err)
			return
		}
		l.calls.Add(1)
		l.pushes.Add(1)
		l.mu.Lock()
		l.seen[number] = true
		l.mu.Unlock()
	}
}

// progress waits for n more calls.
func (l *load) progress(t *testing.T, n int) {
	t.Helper()
	from := l.calls.Load()
	eventually(t, "calls go on", func() bool { return l.calls.Load() >= from+int64(n) })
}

func (l *load) stop() {
	close(l.quit)
	l.all.Wait()
}

func (l *load) generations() (list []int) {
	for n := range l.seen {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}
