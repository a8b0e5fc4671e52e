package transport_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
	"github.com/dserver/dserver/rpc/transport/tcp"
	"github.com/dserver/dserver/rpc/transport/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSet(t *testing.T) *transport.Set {
	s, err := transport.NewSet(tcp.Transport{}, unix.Transport{}, memory.New())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every transport carries bytes both ways, ends one direction at a time, and
// gives up when it is told to.
func TestEveryTransport(t *testing.T) {
	set := newSet(t)
	for _, address := range []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s"), "mem://name"} {
		scheme, _, _ := strings.Cut(address, "://")
		t.Run(scheme, func(t *testing.T) {
			ln, err := set.Listen(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			near, err := set.Dial(t.Context(), scheme+"://"+ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer near.Close()
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			echoAndHalfClose(t, near, far)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if scheme != "mem" { // it has room at once
				if _, err := set.Dial(ctx, scheme+"://"+ln.Addr().String()); err == nil {
					t.Error("dialled with a context that had ended")
				}
			}
		})
	}
}

func echoAndHalfClose(t *testing.T, near, far net.Conn) {
	t.Helper()
	if _, err := near.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if err := near.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(far); err != nil || string(b) != "ping" {
		t.Fatalf("got %q, %v", b, err)
	}
	if _, err := far.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if b, err := io.ReadAll(near); err != nil || string(b) != "pong" {
		t.Fatalf("got %q, %v", b, err)
	}
}

func TestSetNamesWhatItKnows(t *testing.T) {
	set := newSet(t)
	for _, test := range []struct{ address, want string }{
		{"", "one of the schemes mem, tcp, unix"},
		{"127.0.0.1:80", "one of the schemes"},
		{"tcp://", "one of the schemes"},
		{"quic://x", "no transport for quic://, there is mem, tcp, unix"},
	} {
		_, dialErr := set.Dial(t.Context(), test.address)
		_, listenErr := set.Listen(t.Context(), test.address)
		for _, err := range []error{dialErr, listenErr, set.Check(test.address)} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: got %v, want %q", test.address, err, test.want)
			}
		}
	}
	if _, err := transport.NewSet(tcp.Transport{}, tcp.Transport{}); err == nil {
		t.Error("took two transports of one scheme")
	}
	if _, err := transport.NewSet(nil); err == nil {
		t.Error("took nil")
	}
}
