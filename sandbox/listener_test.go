package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/sandbox"
)

func listen(t *testing.T, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// echo answers every connection with its name and one line back.
func echo(name string) func(context.Context, *sandbox.Box) error {
	return func(_ context.Context, box *sandbox.Box) error {
		box.Drain()
		listeners, err := box.Listeners()
		if err != nil {
			return err
		}
		box.Ready()
		for {
			conn, err := listeners[0].Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			box.Go("conn", func(context.Context) {
				defer conn.Close()
				line := make([]byte, 8)
				if _, err := io.ReadFull(conn, line); err == nil {
					_, _ = conn.Write(append([]byte(name), line...))
				}
			})
		}
	}
}

func ask(network, address string) (string, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write([]byte("12345678")); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !strings.HasSuffix(string(answer), "12345678") {
		err = io.ErrUnexpectedEOF
	}
	return strings.TrimSuffix(string(answer), "12345678"), err
}

func TestListenersAcceptOnlyAfterOpen(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln := listen(t, network)
			env := (&journal{}).env()
			env.Sockets = sockets{ln}
			a, b := echoEntry("a", ln), echoEntry("b", ln)
			old, next := newRuntime(t, env, a), newRuntime(t, env, b)
			start(t, old)
			old.Open()
			start(t, next)
			for range 50 {
				if got, err := ask(network, ln.Addr().String()); got != "a" || err != nil {
					t.Fatalf("before the commit: %q, %v", got, err)
				}
			}
			next.Open()
			if r := old.Drain(t.Context()); len(r.Cut)+len(r.Stuck) > 0 {
				t.Error(r)
			}
			for range 50 {
				if got, err := ask(network, ln.Addr().String()); got != "b" || err != nil {
					t.Fatalf("after the drain: %q, %v", got, err)
				}
			}
			if got := next.Status()[0].Listen; len(got) != 1 || got[0] != network+"://"+ln.Addr().String() {
				t.Errorf("listens on %v", got)
			}
			next.Drain(t.Context())
			nonblocking(t, ln)
		})
	}
}

func echoEntry(name string, ln net.Listener) sandbox.Entry {
	e := entry(name, echo(name))
	e.Listen = []sandbox.Listen{{Name: "main", Network: ln.Addr().Network(), Address: ln.Addr().String()}}
	return e
}

// nonblocking fails the test if somebody made the shared description blocking.
func nonblocking(t *testing.T, ln net.Listener) {
	t.Helper()
	raw, err := ln.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Generations replace each other on one socket while clients connect anew for
// each request: none may be refused, reset or left unanswered.
func TestNoConnectionIsLostBetweenGenerations(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln := listen(t, network)
			env := (&journal{}).env()
			env.Sockets = sockets{ln}
			serving := newRuntime(t, env, echoEntry("g", ln))
			start(t, serving)
			serving.Open()
			clients := group.New(t.Context(), nil)
			for range 8 {
				clients.Go("client", func(ctx context.Context) {
					for ctx.Err() == nil {
						if _, err := ask(network, ln.Addr().String()); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range 30 {
				next := newRuntime(t, env, echoEntry("g", ln))
				start(t, next)
				next.Open()
				if r := serving.Drain(t.Context()); len(r.Cut)+len(r.Stuck) > 0 {
					t.Error(r)
				}
				serving = next
			}
			if err := clients.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			serving.Drain(t.Context())
		})
	}
}
