package sandbox

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/internal/inherit"
)

// A listener that was stopped takes no connection that is dialled afterwards, not
// even by an Accept that was waiting: that one belongs to whoever shares the socket.
func TestStoppedListenerTakesNothingMore(t *testing.T) {
	shared, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	busy := group.New(t.Context(), nil)
	defer busy.Stop(t.Context())
	for range 2 * runtime.GOMAXPROCS(0) { // so that what is woken has to wait
		busy.Go("spin", func(ctx context.Context) {
			for ctx.Err() == nil {
			}
		})
	}
	for range 30 {
		stopOnce(t, shared.(*net.TCPListener))
	}
}

func stopOnce(t *testing.T, shared *net.TCPListener) {
	t.Helper()
	own, err := inherit.Listener(shared)
	if err != nil {
		t.Fatal(err)
	}
	open := newGate()
	open.Open()
	ln, err := newListener("0", own, open)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan error, 1)
	waiters := group.New(t.Context(), nil)
	waiters.Go("accept", func(context.Context) {
		conn, err := ln.Accept()
		if err == nil {
			conn.Close()
		}
		accepted <- err
	})
	runtime.Gosched()
	ln.stop()
	late, err := net.Dial("tcp", shared.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a stopped listener took a connection: %v", err)
	}
	taken, err := shared.Accept()
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
}
