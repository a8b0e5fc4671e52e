package httpload

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// Generations puts load on a row of n services that make serves on one socket,
// each draining as soon as the next is open, and fails the test for every request
// that failed.
func Generations(t *testing.T, network string, n int, serves func() sandbox.Service) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	sockets := new(sandboxtest.Sockets)
	t.Cleanup(func() {
		if err := sockets.Close(); err != nil {
			t.Error(err)
		}
	})
	next := func() *sandboxtest.Sandbox {
		b, err := sandboxtest.Start(t.Context(), serves(), sandboxtest.Options{
			Sockets: sockets, Listen: []sandbox.Listen{{Network: network, Address: address}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	drains := group.New(context.WithoutCancel(t.Context()), nil)
	drain := func(b *sandboxtest.Sandbox) {
		drains.Go("drain", func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if err := b.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	serving := next()
	load := Start(t.Context(), network, serving.Addr())
	for range n {
		time.Sleep(rand.N(150 * time.Millisecond)) // the moment must not matter
		b := next()
		drain(serving)
		serving = b
	}
	results, err := load.Stop(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Error(err)
	}
	drain(serving)
	if err := drains.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range results {
		t.Log(r)
		if r.Failed > 0 || r.Requests == 0 {
			t.Error("requests were lost")
		}
	}
}
