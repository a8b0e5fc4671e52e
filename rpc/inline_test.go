package rpc_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
)

// TestInlineHandlersAnswer as all others do, alone and in a crowd, beside handlers that
// are not inline.
func TestInlineHandlersAnswer(t *testing.T) {
	everywhere(t, rpc.Config{}, func(t *testing.T, b *bed) {
		mustHandle(t, b.server, "/inline", func(_ rpc.Context, n int) (int, error) { return n + 1, nil }, rpc.Inline())
		mustHandle(t, b.server, "/other", func(_ rpc.Context, n int) (int, error) { return n + 2, nil })
		notes := make(chan int, 1000)
		mustHandlePush(t, b.server, "/note", func(_ rpc.Context, n int) error { notes <- n; return nil }, rpc.Inline())
		s := b.dial()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for n := range 50 {
					method, want := "/inline", n+1
					if n%5 == 0 {
						method, want = "/other", n+2
					}
					var got int
					if err := s.Call(t.Context(), method, n, &got); err != nil || got != want {
						t.Errorf("got %d, %v", got, err)
					}
				}
			})
		}
		all.Wait()
		for n := range 100 {
			if err := s.Push(t.Context(), "/note", n); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 100 {
			if got := within(t, 10*time.Second, "a push", notes); got != n {
				t.Fatalf("push %d came as the %dth", got, n)
			}
		}
	})
}

// TestInlineRepliesLeaveTogether: what came with one read is answered with few writes,
// and nothing is kept back while the reader waits.
func TestInlineRepliesLeaveTogether(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	mustHandle(t, b.server, "/inline", func(_ rpc.Context, v []byte) ([]byte, error) { return v, nil }, rpc.Inline())
	p := b.dialRaw()
	const count, size = 1000, 500
	body := bytes.Repeat([]byte("x"), size)
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for n := range count {
			p.send(&message.Message{Seq: int32(n + 1), Type: message.Call, Method: "/inline", Codec: 'j', Body: body})
		}
	})
	for n := range count {
		if m := p.mustRead(); m.Seq != int32(n+1) || len(m.Body) != size {
			t.Fatalf("got reply %d with %d bytes", m.Seq, len(m.Body))
		}
	}
}

// TestInlineHandlerMayEndItsSession and what it has answered still goes out.
func TestInlineHandlerMayEndItsSession(t *testing.T) {
	b := onTCP(t, rpc.Config{})
	mustHandle(t, b.server, "/bye", func(ctx rpc.Context, _ any) (string, error) { return "bye", ctx.Session().Close() }, rpc.Inline())
	s := b.dial()
	var got string
	if err := s.Call(t.Context(), "/bye", nil, &got); err != nil || got != "bye" {
		t.Errorf("got %q, %v", got, err)
	}
	within(t, 10*time.Second, "the session ends", s.Done())
}
