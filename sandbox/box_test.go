package sandbox_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dserver/dserver/sandbox"
)

// slowHost answers after an hour, or when its caller gives up.
type slowHost struct{}

func (slowHost) Listener(ctx context.Context, _ string, _ sandbox.Listen) (net.Listener, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(time.Hour):
		return nil, errors.New("at last")
	}
}

func (slowHost) PacketConn(context.Context, string, sandbox.Listen) (net.PacketConn, error) {
	return nil, errors.New("no")
}

// A host that is slow to give a socket must not hold up a drain, nor Status.
func TestDrainDoesNotWaitForASocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := (&journal{}).env()
		env.Sockets = slowHost{}
		r := newRuntime(t, env, entry("s", func(_ context.Context, box *sandbox.Box) error {
			drain := box.Drain()
			box.Go("listen", func(context.Context) { _, _ = box.Listen("tcp", ":1") })
			box.Ready()
			<-drain
			return nil
		}))
		start(t, r)
		synctest.Wait()
		began := time.Now()
		if s := r.Status()[0]; s.State != sandbox.Ready {
			t.Errorf("%+v", s)
		}
		if report := r.Drain(t.Context()); len(report.Stuck) > 0 || time.Since(began) != 0 {
			t.Errorf("%v after %v", report, time.Since(began))
		}
	})
}

// flakyHost refuses the second socket once.
type flakyHost struct {
	sockets
	asked []string
}

func (h *flakyHost) Listener(ctx context.Context, name string, l sandbox.Listen) (net.Listener, error) {
	h.asked = append(h.asked, l.Name)
	if len(h.asked) == 2 {
		return nil, errors.New("not now")
	}
	return h.sockets.Listener(ctx, name, l)
}

func TestListenersMayBeAskedForAgain(t *testing.T) {
	env, host := (&journal{}).env(), &flakyHost{sockets: sockets{listen(t, "tcp")}}
	env.Sockets = host
	e := entry("s", func(_ context.Context, box *sandbox.Box) error {
		drain := box.Drain()
		if _, err := box.Listeners(); err == nil || err.Error() != "cannot listen on tcp://:2: not now" {
			t.Errorf("got %v", err)
		}
		for range 2 {
			listeners, err := box.Listeners()
			if err != nil || len(listeners) != 2 || listeners[0].Name() != "a" || listeners[1].Name() != "b" {
				t.Errorf("got %v, %v", listeners, err)
			}
		}
		box.Ready()
		<-drain
		if _, err := box.Listen("tcp", ":3"); err != nil {
			t.Errorf("got %v", err)
		}
		return nil
	})
	e.Listen = []sandbox.Listen{{Name: "a", Network: "tcp", Address: ":1"}, {Name: "b", Network: "tcp", Address: ":2"}}
	r := newRuntime(t, env, e)
	start(t, r)
	r.Drain(t.Context())
	if len(host.asked) != 4 {
		t.Errorf("asked for %q", host.asked)
	}
}
