package peertest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/internal/group"
)

const (
	callers  = 8
	calls    = 25
	patience = 20 * time.Second
)

// Run calls and pushes with every body, by many callers over one connection, and ends the
// server. A peer that has a Close gets it called.
func Run(t *testing.T, p peer.Peer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	g := group.New(ctx, nil)
	var pushed atomic.Int64
	served := make(chan error, 1)
	g.Go("server", func(ctx context.Context) { served <- p.Serve(ctx, ln, &pushed) })
	c, err := p.Dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range payload.Bodies() {
		t.Run(b.String(), func(t *testing.T) {
			crowd(ctx, t, func(int) (peer.Call, error) { return c.Caller(b), nil })
			push(ctx, t, c, b, &pushed)
		})
	}
	if err := c.Close(); err != nil {
		t.Errorf("cannot close: %v", err)
	}
	if closer, ok := p.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			t.Errorf("cannot close the peer: %v", err)
		}
	}
	if err := g.Stop(context.WithoutCancel(ctx)); err != nil {
		t.Errorf("the server does not end: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// crowd lets many call at once.
func crowd(ctx context.Context, t *testing.T, caller func(i int) (peer.Call, error)) {
	t.Helper()
	g := group.New(ctx, nil)
	for i := range callers {
		call, err := caller(i)
		if err != nil {
			t.Fatal(err)
		}
		g.Go("caller", func(context.Context) {
			for n := range calls {
				if err := call(uint32(i)<<17 | uint32(n)); err != nil {
					t.Errorf("call %d of caller %d: %v", n, i, err)
					return
				}
			}
		})
	}
	if err := g.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// push waits until all messages have come.
func push(ctx context.Context, t *testing.T, c peer.Conn, b payload.Body, pushed *atomic.Int64) {
	t.Helper()
	if _, err := c.Pusher(b); errors.Is(err, peer.ErrNoPush) {
		return
	}
	before := pushed.Load()
	crowd(ctx, t, func(int) (peer.Call, error) { return c.Pusher(b) })
	for pushed.Load()-before < callers*calls {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d messages have come", pushed.Load()-before, callers*calls)
		case <-time.After(time.Millisecond):
		}
	}
}
