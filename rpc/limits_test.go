package rpc_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/tcp"
)

func TestConfigIsCheckedAtTheDoor(t *testing.T) {
	bad := []struct {
		c    rpc.Config
		want string
	}{
		{rpc.Config{HandlerTimeout: -1}, "HandlerTimeout"},
		{rpc.Config{Codecs: []codec.Codec{codec.JSON{}, codec.JSON{}}}, "codec"},
		{rpc.Config{Filters: []filter.Filter{md5.Filter{}, md5.Filter{}}}, "filter"},
		{rpc.Config{Transports: []transport.Transport{tcp.Transport{}, tcp.Transport{}}}, "tcp"},
	}
	limits := reflect.TypeFor[rpc.Limits]()
	for i := range limits.NumField() {
		var l rpc.Limits
		reflect.ValueOf(&l).Elem().Field(i).SetInt(-1)
		bad = append(bad, struct {
			c    rpc.Config
			want string
		}{rpc.Config{Limits: l}, "Limits." + limits.Field(i).Name})
	}
	for _, test := range bad {
		if _, err := rpc.New(test.c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestMessageLimitEndsWhoSendsMoreAndFailsWhoWantsTo(t *testing.T) {
	everywhere(t, rpc.Config{Limits: rpc.Limits{Message: 100_000}}, func(t *testing.T, b *bed) {
		echo(t, b.server)
		mustHandle(t, b.server, "/big", func(_ rpc.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
		s := b.dial()
		if err := s.Call(t.Context(), "/echo", strings.Repeat("x", 70_000), nil); err != nil {
			t.Errorf("below the limit: %v", err)
		}
		wantCode(t, s.Call(t.Context(), "/echo", strings.Repeat("x", 200_000), nil), status.WriteFailed)
		wantCode(t, s.Call(t.Context(), "/big", 200_000, nil), status.InternalServerError)
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{Message: 1000}})
	p := b.dialRaw()
	p.send(&message.Message{Seq: 1, Type: message.Call, Method: "/a", Body: make([]byte, 1000)})
	p.mustBeClosed()
	if !strings.Contains(b.serverLog.String(), "exceeds the limit") {
		t.Errorf("log: %s", b.serverLog)
	}
}

// A message that is announced is not paid for before it comes.
func TestMemoryGrowsWithTheBytesThatCome(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{Message: 512 << 20}})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 20 {
		p := b.dialRaw()
		p.sendHex("1fffffff 01 00 01 31")
	}
	eventually(t, "all are accepted", func() bool { return b.server.Stats().Sessions == 20 })
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func TestF37MetadataThatDoesNotFitFailsThatCallOnly(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	echo(t, b.server)
	mustHandle(t, b.server, "/meta", func(ctx rpc.Context, n int) (int, error) {
		ctx.SetMeta("big", strings.Repeat("x", n))
		return n, nil
	})
	s := b.dial()
	wantCode(t, s.Call(t.Context(), "/echo", "x", nil, rpc.WithMeta("big", strings.Repeat("x", 65536))), status.WriteFailed)
	wantCode(t, s.Push(t.Context(), "/echo", "x", rpc.WithMeta("big", strings.Repeat("x", 65536))), status.WriteFailed)
	wantCode(t, s.Call(timeout(t, 10*time.Second), "/meta", 65536, nil), status.InternalServerError)
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
}

func TestBoundsOfRunningHandlers(t *testing.T) {
	tests := []struct {
		name   string
		limits rpc.Limits
		opts   []rpc.RouteOption
		size   int
	}{
		{"session", rpc.Limits{SessionHandlers: 3}, nil, 1},
		{"endpoint", rpc.Limits{EndpointHandlers: 3}, nil, 1},
		{"route", rpc.Limits{}, []rpc.RouteOption{rpc.WithLimit(3)}, 1},
		{"bytes", rpc.Limits{RequestBytes: 3500}, nil, 1000},
		{"ordered", rpc.Limits{SessionHandlers: 3}, []rpc.RouteOption{rpc.Ordered()}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := onTCP(t, rpc.Config{Limits: test.limits})
			echo(t, b.server)
			g := newGate(t, b.server, test.opts...)
			s := b.dial()
			results := make(chan error, 10)
			for range 10 {
				go func() { results <- s.Call(t.Context(), "/gate", strings.Repeat("x", test.size), nil) }()
			}
			for range 7 {
				if st := wantCode(t, within(t, 10*time.Second, "a refusal", results), status.Overloaded); !st.Retry || st.Cause == "" {
					t.Errorf("got %+v", st)
				}
			}
			if st := b.server.Stats(); st.Overloads != 7 || st.Handlers != 3 {
				t.Errorf("got %+v", st)
			}
			close(g.open)
			for range 3 {
				if err := within(t, 10*time.Second, "a reply", results); err != nil {
					t.Error(err)
				}
			}
			eventually(t, "all slots are free", func() bool { return b.server.Stats().Handlers == 0 })
			if err := s.Call(t.Context(), "/gate", strings.Repeat("x", 5000), nil); err != nil {
				t.Errorf("a request alone, however big: %v", err)
			}
		})
	}
}

func TestPendingCallsAreBounded(t *testing.T) {
	b := newBed(t, rpc.Config{}, rpc.Config{Limits: rpc.Limits{Pending: 2}}, "tcp://127.0.0.1:0")
	g := newGate(t, b.server)
	s := b.dial()
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- s.Call(t.Context(), "/gate", nil, nil) }()
		within(t, 10*time.Second, "a handler runs", g.entered)
	}
	if st := wantCode(t, s.Call(t.Context(), "/gate", nil, nil), status.Overloaded); !st.Retry {
		t.Errorf("got %+v", st)
	}
	close(g.open)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{Connections: 2}})
	echo(t, b.server)
	first, second := b.dial(), b.dial()
	for _, s := range []*rpc.Session{first, second} {
		if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	b.dialRaw().mustBeClosed()
	first.Close()
	within(t, 10*time.Second, "the first leaves", first.Done())
	eventually(t, "there is room", func() bool { return b.server.Stats().Sessions == 1 })
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
}

func TestF74SlowReaderCostsBoundedMemory(t *testing.T) {
	b := newBed(t, rpc.Config{}, rpc.Config{Limits: rpc.Limits{WriteQueue: 256 << 10}}, "tcp://127.0.0.1:0")
	address, conns := silentServer(t)
	s, err := b.client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	peer := within(t, 5*time.Second, "a connection", conns)
	defer peer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	body := []byte(strings.Repeat("x", 64<<10))
	results := make(chan error, 100)
	for range 100 {
		go func() {
			for {
				if err := s.Push(ctx, "/a", body); err != nil {
					results <- err
					return
				}
			}
		}()
	}
	// The socket takes some megabytes, then everybody waits.
	var last uint64
	eventually(t, "all senders wait", func() bool {
		<-time.After(100 * time.Millisecond)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		still := m.TotalAlloc-last < 1<<20
		last = m.TotalAlloc
		return still
	})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 70<<20 {
		t.Errorf("heap of %d MB", m.HeapAlloc>>20)
	}
	cancel()
	for range 100 {
		wantCode(t, within(t, 10*time.Second, "senders end with their context", results), status.Cancelled)
	}
}

// A peer that calls and does not read the replies is cut off; nobody else is.
func TestPeerThatDoesNotReadItsRepliesIsClosed(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{ReplyTime: 50 * time.Millisecond, WriteQueue: 64 << 10}})
	echo(t, b.server)
	mustHandle(t, b.server, "/big", func(rpc.Context, any) ([]byte, error) { return make([]byte, 1<<20), nil })
	p := b.dialRaw()
	s := b.accepted()
	for seq := range int32(64) {
		p.send(&message.Message{Seq: seq, Type: message.Call, Method: "/big"})
	}
	within(t, 20*time.Second, "the session ends", s.Done())
	if err := b.dial().Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Error(err)
	}
}

func TestFloodOfRefusedCallsIsBounded(t *testing.T) {
	b := onTCP(t, rpc.Config{Limits: rpc.Limits{WriteQueue: 64 << 10}})
	p := b.dialRaw()
	s := b.accepted()
	flooded := make(chan error, 1)
	go func() {
		for {
			if err := p.p.Pack(&message.Message{Seq: 1, Type: message.Call, Method: "/none"}); err != nil {
				flooded <- err
				return
			}
		}
	}()
	within(t, 60*time.Second, "the session ends", s.Done())
	within(t, 10*time.Second, "the flood ends", flooded)
	if s.Err() == nil || errors.Is(s.Err(), net.ErrClosed) {
		t.Errorf("ended with %v", s.Err())
	}
}

func TestWritersWaitForTheirContextOnly(t *testing.T) {
	b := newBed(t, rpc.Config{}, rpc.Config{Limits: rpc.Limits{WriteQueue: 1}}, "mem://server")
	near, far := net.Pipe() // takes nothing until it is read
	defer far.Close()
	s, err := b.client.ServeConn(near)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				err := s.Push(timeout(t, 50*time.Millisecond), "/a", nil)
				if err != nil {
					wantCode(t, err, status.HandleTimeout)
					return
				}
			}
		})
	}
	all.Wait()
}
