package rpc_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

func TestPushOutlivesItsSession(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		type outcome struct{ before, after error }
		outcomes := make(chan outcome, 1)
		mustHandlePush(t, b.server, "/late", func(ctx rpc.Context, _ any) error {
			var o outcome
			o.before = ctx.Err()
			<-ctx.Session().Done()
			o.after = ctx.Err()
			outcomes <- o
			return nil
		})
		s := b.dial()
		if err := s.Push(t.Context(), "/late", 1); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if o := within(t, 10*time.Second, "the push is handled", outcomes); o.before != nil || o.after != nil {
			t.Errorf("got %v", o)
		}
		if err := b.server.Shutdown(timeout(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	})
}

// Shutdown waits for a PUSH whose sender has left.
func TestShutdownWaitsForTheLastHandlers(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	entered, open := make(chan struct{}), make(chan struct{})
	var finished atomic.Bool
	mustHandlePush(t, b.server, "/late", func(ctx rpc.Context, _ any) error {
		close(entered)
		<-open
		finished.Store(ctx.Err() == nil)
		return nil
	})
	s := b.dial()
	if err := s.Push(t.Context(), "/late", 1); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the handler runs", entered)
	s.Close()
	within(t, 10*time.Second, "the session ends", s.Done())
	done := make(chan error, 1)
	go func() { done <- b.server.Shutdown(timeout(t, 20*time.Second)) }()
	eventually(t, "the server drains", func() bool { return b.server.Stats().Sessions == 0 })
	close(open)
	if err := within(t, 10*time.Second, "Shutdown ends", done); err != nil || !finished.Load() {
		t.Errorf("got %v, handler finished in peace: %v", err, finished.Load())
	}
}

func TestSessionShutdownWaitsForItsCalls(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server)
	s := b.dial()
	called := make(chan error, 1)
	go func() { called <- s.Call(t.Context(), "/gate", nil, nil) }()
	within(t, 10*time.Second, "a call runs", g.entered)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(timeout(t, 20*time.Second)) }()
	within(t, 10*time.Second, "the server is told", b.accepted().GoingAway())
	close(g.open)
	if err := within(t, 10*time.Second, "the call ends", called); err != nil {
		t.Error(err)
	}
	if err := within(t, 10*time.Second, "Shutdown ends", done); err != nil {
		t.Error(err)
	}
}

func TestSessionShutdownNamesWhatItCuts(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server)
	defer close(g.open)
	s := b.dial()
	go s.Call(t.Context(), "/gate", nil, nil)
	within(t, 10*time.Second, "a call runs", g.entered)
	var cut *rpc.CutError
	if err := s.Shutdown(timeout(t, 20*time.Millisecond)); !errors.As(err, &cut) || len(cut.Calls) != 1 || cut.Calls[0].Method != "/gate" {
		t.Errorf("got %v", err)
	}
}

// Two endpoints that dialled each other can both shut down.
func TestMutualShutdownEnds(t *testing.T) {
	network := memory.New()
	var ends [2]*rpc.Endpoint
	for i := range ends {
		ends[i] = newEndpoint(t, rpc.Config{Transports: []transport.Transport{network}})
		echo(t, ends[i])
		serve(t, ends[i], []string{"mem://0", "mem://1"}[i])
	}
	results := make(chan error, 2)
	for i, e := range ends {
		other := []string{"mem://1", "mem://0"}[i]
		if _, err := e.Dial(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if err := e.Client(other).Call(t.Context(), "/echo", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range ends {
		go func() { results <- e.Shutdown(timeout(t, 30*time.Second)) }()
	}
	for range ends {
		if err := within(t, 10*time.Second, "Shutdown ends", results); err != nil {
			t.Error(err)
		}
	}
}

// At the very end the peer learns which of its calls were never executed, so
// that it can make them elsewhere; and none of those is executed later.
func TestCutSessionSaysWhatWasNotExecuted(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	g := newGate(t, b.server)
	defer close(g.open)
	p := b.dialRaw()
	p.send(&message.Message{Seq: 7, Type: message.Call, Method: "/gate"})
	handler := within(t, 10*time.Second, "the handler runs", g.entered)
	go func() {
		<-handler.Done()
		g.open <- struct{}{}
	}()
	var cut *rpc.CutError
	if err := b.server.Shutdown(timeout(t, -time.Second)); !errors.As(err, &cut) {
		t.Errorf("got %v", err)
	}
	first, last := p.mustRead(), p.mustRead()
	if first.Method != "/_goaway" || first.Meta.Value("deadline_ms") != "1" {
		t.Errorf("first: %+v", first)
	}
	if last.Method != "/_goaway" || last.Meta.Value("deadline_ms") != "0" || last.Meta.Value("seq") != "7" {
		t.Errorf("last: %+v", last)
	}
	p.mustBeClosed()
}
