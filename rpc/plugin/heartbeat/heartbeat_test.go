package heartbeat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/plugin/heartbeat"
	"github.com/dserver/dserver/rpc/plugin/plugintest"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

const rate = heartbeat.MinRate

// slack is how late a look of the wheel may be, twice.
const slack = 500 * time.Millisecond

func pings(t testing.TB, mode heartbeat.Mode) rpc.Plugin {
	t.Helper()
	p, err := heartbeat.NewPing(rate, mode)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func with(plugins ...rpc.Plugin) rpc.Config { return rpc.Config{Plugins: plugins} }

// ticker notes when which messages came in.
type ticker struct {
	mu    sync.Mutex
	start time.Time
	seen  []string
}

func newTicker() *ticker { return &ticker{start: time.Now()} }

func (k *ticker) Name() string { return "ticker" }

func (k *ticker) note(c rpc.ReadCtx) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, fmt.Sprintf("%v %v %s", time.Since(k.start).Truncate(time.Second), c.Type(), c.Method()))
	return nil
}

func (k *ticker) AfterReadCallHeader(c rpc.ReadCtx) error { return k.note(c) }
func (k *ticker) AfterReadPushHeader(c rpc.ReadCtx) error { return k.note(c) }

func (k *ticker) list() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.seen)
}

// TestIdleSessionsArePinged: once in each rate, and not while something else is said.
func TestIdleSessionsArePinged(t *testing.T) {
	for mode, kind := range map[heartbeat.Mode]string{heartbeat.Push: "PUSH", heartbeat.Call: "CALL"} {
		synctest.Test(t, func(t *testing.T) {
			seen := newTicker()
			b := plugintest.New(t, with(heartbeat.NewPong(), seen))
			s := b.Dial(t, with(pings(t, mode)))
			time.Sleep(3*rate + 2*slack)
			got := seen.list()
			if len(got) != 3 || strings.Count(strings.Join(got, ","), kind+" /heartbeat") != 3 || got[0] != "3s "+kind+" /heartbeat" {
				t.Errorf("%s: got %q", kind, got)
			}
			for range 20 {
				if err := s.Call(t.Context(), "/other", nil, nil); status.CodeOf(err) != status.NotFound {
					t.Error(err)
				}
				time.Sleep(time.Second)
			}
			if n := strings.Count(strings.Join(seen.list(), ","), heartbeat.Route); n != 3 {
				t.Errorf("%s: a busy session was pinged: %q", kind, seen.list())
			}
		})
	}
}

// TestListenerPings: who only takes in must be heard all the same.
func TestListenerPings(t *testing.T) {
	for _, mode := range []heartbeat.Mode{heartbeat.Push, heartbeat.Call} {
		synctest.Test(t, func(t *testing.T) {
			b := plugintest.New(t, with(heartbeat.NewPong()))
			s := b.Dial(t, with(pings(t, mode)))
			synctest.Wait()
			for range 30 {
				if n, err := b.Server.PushAll(t.Context(), "/news", nil); n != 1 || err != nil {
					t.Fatalf("pushed to %d, %v", n, err)
				}
				time.Sleep(time.Second)
			}
			if s.Err() != nil {
				t.Error(s.Err())
			}
		})
	}
}

// TestTalkerFindsOut: in the mode that calls, a peer that is silent while we talk to it
// is noticed, and so is one while we do not.
func TestTalkerFindsOut(t *testing.T) {
	for _, talks := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := plugintest.New(t, with(pings(t, heartbeat.Call)))
			p := b.Peer(t)
			synctest.Wait()
			s := b.Server.Sessions()[0]
			began := time.Now()
			for time.Since(began) < 2*rate+slack {
				if s.Err() == nil && talks {
					_, _ = b.Server.PushAll(t.Context(), "/news", nil)
				}
				time.Sleep(100 * time.Millisecond)
			}
			p.Conn.Close()
			synctest.Wait()
			if err := s.Err(); !errors.Is(err, heartbeat.ErrSilent) {
				t.Errorf("talks %v: got %v", talks, err)
			}
		})
	}
}

// TestAnyAnswerWillDo: a peer without the route is there, and one that answers late.
func TestAnyAnswerWillDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, rpc.Config{})
		slow := plugintest.New(t, rpc.Config{})
		if err := rpc.Handle(slow.Server, heartbeat.Route, func(ctx rpc.Context, _ any) (any, error) {
			select {
			case <-time.After(rate - time.Second):
			case <-ctx.Done():
			}
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		s, late := b.Dial(t, with(pings(t, heartbeat.Call))), slow.Dial(t, with(pings(t, heartbeat.Call)))
		time.Sleep(10 * rate)
		if s.Err() != nil || late.Err() != nil {
			t.Errorf("got %v and %v", s.Err(), late.Err())
		}
	})
}

func heartbeatOf(rate string, kind message.Type, seq int32) *message.Message {
	m := &message.Message{Seq: seq, Type: kind, Method: heartbeat.Route, Codec: codec.IDJSON}
	m.Meta.Set("hb_", rate)
	return m
}

// TestF27: silent peers are closed in time although a handler of another silent one
// takes a minute; who pings is not, however long its handler takes.
func TestF27SilentPeersAreClosedBesideALongHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, with(heartbeat.NewPong()))
		if err := rpc.Handle(b.Server, "/long", func(rpc.Context, any) (any, error) {
			time.Sleep(time.Minute)
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		const lively, stuck = 0, 1
		var peers [4]*plugintest.Peer
		for i := range peers {
			peers[i] = b.Peer(t)
			peers[i].Send(heartbeatOf("3", message.Push, 1))
			if i == lively || i == stuck {
				peers[i].Send(&message.Message{Seq: 2, Type: message.Call, Method: "/long"})
			}
		}
		began := time.Now()
		var all sync.WaitGroup
		for i, p := range peers {
			if i == lively {
				continue
			}
			all.Go(func() {
				if m := p.Read(); m.Type != message.Call || m.Method != heartbeat.Route || m.Meta.Len() > 0 {
					t.Errorf("the peer is asked %+v", m)
				}
				if i == stuck {
					return // it is closed when its handler cannot be waited for any more
				}
				p.WantEnd()
				if took := time.Since(began); took < 2*rate || took > 7*time.Second {
					t.Errorf("peer %d was closed after %v", i, took)
				}
			})
		}
		for range 6 {
			time.Sleep(rate)
			peers[lively].Send(heartbeatOf("3", message.Push, 3))
		}
		all.Wait()
		list := b.Server.Sessions()
		if len(list) != 1 || list[0].ID() != "1" {
			t.Errorf("%d sessions are left", len(list))
		}
		time.Sleep(15 * time.Second) // without a ping
		if n := b.Server.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		time.Sleep(time.Minute)
	})
}

// TestOlderPeersPingLate: theirs come after nearly twice the rate, and not at all while
// something comes to them; but they answer.
func TestOlderPeersPingLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, with(heartbeat.NewPong()))
		p := b.Peer(t)
		p.Send(heartbeatOf("3", message.Push, 1))
		var reader sync.WaitGroup
		reader.Go(func() {
			for range 10 {
				m := p.Read()
				p.Send(&message.Message{Seq: m.Seq, Type: message.Reply, Status: status.New(status.NotFound, "")})
			}
		})
		began := time.Now()
		reader.Wait()
		if took := time.Since(began); took != 10*(rate+rate/2) {
			t.Errorf("it was asked ten times in %v", took)
		}
		if len(b.Server.Sessions()) != 1 {
			t.Error("it is closed")
		}
	})
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, with(heartbeat.NewPong()))
		p := b.Peer(t)
		ask := func(rate string, want status.Code) {
			t.Helper()
			p.Send(heartbeatOf(rate, message.Call, 1))
			m := p.Read()
			code := status.OK
			if m.Status != nil {
				code = m.Status.Code
			}
			if m.Type != message.Reply || code != want || code == status.OK && string(m.Body) != "null" {
				t.Errorf("rate %q: got %+v, %v", rate, m, m.Status)
			}
		}
		for _, bad := range []string{"x", "-1", "3s", "1e9", "99999999999999999999", strings.Repeat("9", 60000)} {
			ask(bad, status.BadMessage)
		}
		p.Send(heartbeatOf("x", message.Push, 1))
		ask("", status.OK) // no promise
		ask("0", status.OK)
		time.Sleep(time.Hour)
		ask("10", status.OK)
		ask("x", status.OK) // it is known by now, and keeps its rate
		time.Sleep(14 * time.Second)
		ask("4", status.OK)
		began := time.Now()
		p.Read()
		p.WantEnd()
		if took := time.Since(began); took < 8*time.Second || took > 8*time.Second+slack {
			t.Errorf("with the rate 4 s it was closed after %v", took)
		}

		p = b.Peer(t)
		ask("1", status.OK) // as good as 3
		time.Sleep(rate)
		ask("9223372036854775807", status.OK) // as good as a day
		time.Sleep(35 * time.Hour)
		ask("0", status.OK)
		if len(b.Server.Sessions()) != 1 {
			t.Error("it is closed")
		}
		time.Sleep(36*time.Hour + slack)
		p.Read()
		time.Sleep(12*time.Hour - slack - time.Second)
		if len(b.Server.Sessions()) != 1 {
			t.Error("it is closed too early")
		}
		p.WantEnd()
	})
}

// TestBothRoutesAnswerInAnyCodec: to a codec that is not JSON null would mean nothing.
func TestBothRoutesAnswerInAnyCodec(t *testing.T) {
	b := plugintest.New(t, with(heartbeat.NewPong()))
	s := b.Dial(t, rpc.Config{})
	for _, method := range []string{"/heartbeat", "heartbeat"} {
		for id, want := range map[byte]string{codec.IDJSON: "null", codec.IDXML: ""} {
			var got []byte
			err := s.Call(t.Context(), method, []byte("not looked at"), &got, rpc.WithCodec(id), rpc.WithMeta("hb_", "30"))
			if err != nil || string(got) != want {
				t.Errorf("%s %q: got %q, %v", method, id, got, err)
			}
		}
		if err := s.Push(t.Context(), method, nil, rpc.WithMeta("hb_", "30")); err != nil {
			t.Error(err)
		}
	}
	if err := s.Call(t.Context(), "/nowhere", nil, nil); status.CodeOf(err) != status.NotFound {
		t.Error(err)
	}
	if n := b.Server.Stats().DroppedPushes; n != 0 {
		t.Errorf("%d pushes were dropped", n)
	}
}

// TestBothPluginsOnBothSides live together, and an idle session lives on.
func TestBothPluginsOnBothSides(t *testing.T) {
	for _, mode := range []heartbeat.Mode{heartbeat.Push, heartbeat.Call} {
		synctest.Test(t, func(t *testing.T) {
			seen := newTicker()
			b := plugintest.New(t, with(pings(t, mode), heartbeat.NewPong(), seen))
			s := b.Dial(t, with(pings(t, mode), heartbeat.NewPong(), seen))
			time.Sleep(time.Hour)
			if s.Err() != nil || len(b.Server.Sessions()) != 1 {
				t.Errorf("got %v", s.Err())
			}
			if n := len(seen.list()); n < 1000 || n > 2*1200 {
				t.Errorf("%d heartbeats in an hour", n)
			}
		})
	}
}

// stuckHook is a plugin whose hook waits when a heartbeat goes to one session.
type stuckHook struct {
	release chan struct{}
	stuck   *rpc.Session
}

func (h *stuckHook) Name() string { return "stuck" }

func (h *stuckHook) wait(c rpc.WriteCtx) error {
	if c.Session() == h.stuck {
		<-h.release
	}
	return nil
}

func (h *stuckHook) BeforeWriteCall(c rpc.WriteCtx) error { return h.wait(c) }
func (h *stuckHook) BeforeWritePush(c rpc.WriteCtx) error { return h.wait(c) }

// TestPingWaitsForNobody: neither a hook nor a peer that reads nothing keeps other
// sessions from being pinged.
func TestPingWaitsForNobody(t *testing.T) {
	for _, mode := range []heartbeat.Mode{heartbeat.Push, heartbeat.Call} {
		synctest.Test(t, func(t *testing.T) {
			b := plugintest.New(t, with(heartbeat.NewPong()))
			hook := &stuckHook{release: make(chan struct{})}
			client := b.Endpoint(t, rpc.Config{Plugins: []rpc.Plugin{pings(t, mode), hook}, Limits: rpc.Limits{WriteQueue: 1 << 10}})
			ln := b.Listen(t, "mem://silent")
			dial := func(address string) *rpc.Session {
				s, err := client.Dial(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			full := dial("mem://silent")
			for err := error(nil); err == nil; {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				err = full.Push(ctx, "/fill", strings.Repeat("x", 1000))
				cancel()
			}
			hook.stuck = dial(plugintest.Address)
			lively := dial(plugintest.Address)
			time.Sleep(10 * rate)
			if lively.Err() != nil {
				t.Error(lively.Err())
			}
			if idle := time.Since(lively.LastWrite()); idle > rate+slack {
				t.Errorf("nothing was said for %v", idle)
			}
			close(hook.release)
			ln.Close()
		})
	}
}

// hooked is a plugin whose hooks count heartbeats that go out, and panic.
type hooked struct{ seen chan string }

func (hooked) Name() string { return "hooked" }

func (h hooked) count(c rpc.WriteCtx) error {
	h.seen <- c.Method()
	panic("as asked")
}

func (h hooked) BeforeWriteCall(c rpc.WriteCtx) error { return h.count(c) }
func (h hooked) BeforeWritePush(c rpc.WriteCtx) error { return h.count(c) }

// TestHeartbeatsPassHooks: one that refuses them, by a panic even, keeps them back and
// does not end the session, which nobody asked.
func TestHeartbeatsPassHooks(t *testing.T) {
	for _, mode := range []heartbeat.Mode{heartbeat.Push, heartbeat.Call} {
		synctest.Test(t, func(t *testing.T) {
			ticks := newTicker()
			b := plugintest.New(t, with(ticks))
			h := hooked{make(chan string, 100)}
			s := b.Dial(t, with(pings(t, mode), h))
			time.Sleep(5 * rate)
			if n := len(h.seen); n < 4 || <-h.seen != heartbeat.Route {
				t.Errorf("the hook has seen %d", n)
			}
			if s.Err() != nil || len(ticks.list()) > 0 {
				t.Errorf("the peer has seen %q; the session: %v", ticks.list(), s.Err())
			}
		})
	}
}

// TestOneValueServesSeveralEndpoints as long as one of them is open.
func TestOneValueServesSeveralEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := newTicker()
		ping, pong := pings(t, heartbeat.Call), heartbeat.NewPong()
		b := plugintest.New(t, with(pong, seen))
		for range 3 {
			first, second := b.Endpoint(t, with(ping, pong)), b.Endpoint(t, with(ping, pong))
			for _, e := range []*rpc.Endpoint{first, second} {
				if _, err := e.Dial(t.Context(), plugintest.Address); err != nil {
					t.Fatal(err)
				}
			}
			before := len(seen.list())
			time.Sleep(rate + slack)
			first.Close()
			time.Sleep(rate + slack)
			second.Close()
			time.Sleep(3 * rate)
			if n := len(seen.list()) - before; n != 3 {
				t.Errorf("%d heartbeats: %q", n, seen.list())
			}
		}
	})
}

// TestPingsGoOnInAShutdown: a long call must not look like a silent peer.
func TestPingsGoOnInAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, with(heartbeat.NewPong()))
		if err := rpc.Handle(b.Server, "/long", func(rpc.Context, any) (string, error) {
			time.Sleep(time.Minute)
			return "done", nil
		}); err != nil {
			t.Fatal(err)
		}
		client := b.Endpoint(t, with(pings(t, heartbeat.Push)))
		s, err := client.Dial(t.Context(), plugintest.Address)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		call := s.Go(t.Context(), "/long", nil, &got)
		time.Sleep(2 * rate)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := client.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := call.Wait(); err != nil || got != "done" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestF70: nothing of 900 endpoints stays.
func TestF70EndpointsLeaveNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var list []*rpc.Endpoint
	for range 900 {
		e, err := rpc.New(with(pings(t, heartbeat.Call), heartbeat.NewPong()))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
		near, far := net.Pipe()
		for _, conn := range []net.Conn{near, far} {
			if _, err := e.ServeConn(conn); err != nil {
				t.Fatal(err)
			}
		}
	}
	during := runtime.NumGoroutine()
	for _, e := range list {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d goroutines before, %d with 900 endpoints", before, during)
	rpctest.Eventually(t, "they are as many as before", func() bool { return runtime.NumGoroutine() <= before })
}

// TestClientOfASilentServerDialsAgain: the session ends, the client does not.
func TestClientOfASilentServerDialsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := plugintest.New(t, rpc.Config{})
		ln := b.Listen(t, "mem://silent")
		client := b.Endpoint(t, with(pings(t, heartbeat.Call)))
		c := client.Client("mem://silent")
		call := c.Go(t.Context(), "/any", nil, nil)
		time.Sleep(2*rate + slack)
		// The silent one is given up, orderly: its end is not heard either.
		if err := call.Wait(); status.CodeOf(err) != status.ConnectionClosed || !errors.Is(err, heartbeat.ErrSilent) {
			t.Errorf("got %v", err)
		}
		again := c.Go(t.Context(), "/any", nil, nil)
		synctest.Wait()
		for range 2 {
			if _, err := ln.Accept(); err != nil {
				t.Error(err)
			}
		}
		c.Close()
		rpctest.Code(t, again.Wait(), status.ConnectionClosed)
	})
}

func TestBadPingsAreRefused(t *testing.T) {
	for _, c := range []struct {
		rate time.Duration
		mode heartbeat.Mode
	}{{rate - 1, heartbeat.Call}, {0, heartbeat.Push}, {-rate, heartbeat.Push}, {rate, 2}, {rate, -1}} {
		if _, err := heartbeat.NewPing(c.rate, c.mode); err == nil {
			t.Errorf("%v in mode %d is accepted", c.rate, c.mode)
		}
	}
	two := with(heartbeat.NewPong(), heartbeat.NewPong())
	if _, err := rpc.New(two); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("two pongs: %v", err)
	}
}

// TestCapturesOfOlderPeers: we say what an older client said, and answer as an older
// server did.
func TestCapturesOfOlderPeers(t *testing.T) {
	for name, mode := range map[string]heartbeat.Mode{"heartbeat_call_true": heartbeat.Call, "heartbeat_call_false": heartbeat.Push} {
		for _, exact := range []bool{false, true} {
			form := rpc.Config{Proto: raw.Options{Classic: exact}.New}
			t.Run(fmt.Sprint(name, "/exact ", exact, "/server"), func(t *testing.T) {
				c := form
				c.Plugins = []rpc.Plugin{heartbeat.NewPong()}
				b := plugintest.New(t, c)
				plugintest.ReadCapture(t, name).Play(b.Peer(t), plugintest.Client, exact)
				rpctest.Eventually(t, "both are handled", func() bool { return b.Server.Stats().Handled == 2 })
			})
			t.Run(fmt.Sprint(name, "/exact ", exact, "/client"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := form
					c.Plugins = []rpc.Plugin{pings(t, mode)}
					b := plugintest.New(t, rpc.Config{})
					ln := b.Listen(t, "mem://older")
					s, err := b.Endpoint(t, c).Dial(t.Context(), "mem://older")
					if err != nil {
						t.Fatal(err)
					}
					conn, err := ln.Accept()
					if err != nil {
						t.Fatal(err)
					}
					plugintest.ReadCapture(t, name).Play(plugintest.NewPeer(t, conn), plugintest.Server, exact)
					synctest.Wait()
					if s.Err() != nil {
						t.Error(s.Err())
					}
				})
			})
		}
	}
}
