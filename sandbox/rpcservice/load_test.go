package rpcservice_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/rpcservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// load is callers at work.
type load struct {
	t             *testing.T
	callers       *group.Group
	calls, failed atomic.Int64
}

func (l *load) work(name string, n int, f func(ctx context.Context) error) {
	for range n {
		l.callers.Go(name, func(stop context.Context) {
			for stop.Err() == nil {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(stop), 20*time.Second)
				if err := f(ctx); err != nil && l.failed.Add(1) < 5 {
					l.t.Errorf("%s: %v", name, err)
				}
				cancel()
				l.calls.Add(1)
			}
		})
	}
}

// start sets callers to work in three ways; what it returns must be closed.
func (l *load) start(e *rpc.Endpoint, target string) *rpc.Client {
	client := e.Client(target)
	l.work("long session", 8, func(ctx context.Context) error { return add(ctx, client.Call) })
	l.work("2 s calls", 8, func(ctx context.Context) error { return client.Call(ctx, "/math/sleep", 2000, nil) })
	l.work("dial per call", 4, func(ctx context.Context) error {
		s, err := e.Dial(ctx, target)
		if err != nil {
			return err
		}
		defer s.Close()
		return add(ctx, s.Call)
	})
	return client
}

// Callers talk to a row of generations on one socket; no call may fail, whatever
// the moment at which a generation is told to go.
func TestNoCallIsLostBetweenGenerations(t *testing.T) {
	t.Run("tcp", func(t *testing.T) {
		changeGenerations(t, sandbox.Listen{Network: "tcp", Address: "127.0.0.1:0"}, 30)
	})
	t.Run("unix", func(t *testing.T) {
		changeGenerations(t, sandbox.Listen{Network: "unix", Address: filepath.Join(t.TempDir(), "s")}, 30)
	})
}

func changeGenerations(t *testing.T, listen sandbox.Listen, n int) {
	sockets := new(sandboxtest.Sockets)
	t.Cleanup(func() { _ = sockets.Close() })
	next := func() *sandboxtest.Sandbox {
		b, err := sandboxtest.Start(t.Context(), rpcservice.New("math", math), sandboxtest.Options{
			Sockets: sockets, Listen: []sandbox.Listen{listen},
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
	l := &load{t: t, callers: group.New(t.Context(), nil)}
	client := l.start(caller(t), listen.Network+"://"+serving.Addr())
	for range n {
		time.Sleep(rand.N(150 * time.Millisecond)) // the moment must not matter
		b := next()
		drain(serving)
		serving = b
	}
	if err := l.callers.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	drain(serving)
	if err := drains.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%d calls, %d failed", l.calls.Load(), l.failed.Load())
	if l.failed.Load() > 0 || l.calls.Load() == 0 {
		t.Error("calls were lost")
	}
}
