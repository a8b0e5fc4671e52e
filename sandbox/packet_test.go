package sandbox_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

// answer sends every datagram back with its name before it.
func answer(name string) func(context.Context, *sandbox.Box) error {
	return func(_ context.Context, box *sandbox.Box) error {
		box.Drain()
		conns, err := box.PacketConns()
		if err != nil {
			return err
		}
		box.Ready()
		buf := make([]byte, 100)
		for {
			n, from, err := conns[0].ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				if conns[0].SetReadDeadline(time.Time{}) == nil {
					return errors.New("the end of reading was taken back")
				}
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := conns[0].WriteTo(append([]byte(name), buf[:n]...), from); err != nil {
				return err
			}
		}
	}
}

// Datagrams that came while one generation had stopped reading and the next did
// not yet read are answered by the next.
func TestDatagramsWaitForTheNextGeneration(t *testing.T) {
	sockets := new(sandboxtest.Sockets)
	o := sandboxtest.Options{
		Sockets: sockets, Closed: true,
		Listen: []sandbox.Listen{{Name: "dgram", Network: "udp", Address: "127.0.0.1:0"}},
	}
	t.Cleanup(func() { _ = sockets.Close() })
	a := sandboxtest.Run(t, &service{name: "a", serve: answer("a")}, o)
	b := sandboxtest.Run(t, &service{name: "b", serve: answer("b")}, o)
	conn, err := net.Dial("udp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func() {
		if _, err := conn.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, 10)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(buf); string(buf[:n]) != want || err != nil {
			t.Errorf("got %q, %v, want %q", buf[:n], err, want)
		}
	}
	ask()
	a.Open()
	expect("a?")
	a.Drain(t.Context())
	ask()
	b.Open()
	expect("b?")
}
