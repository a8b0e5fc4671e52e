package plugintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
)

// Address is where the server of a [Bed] listens.
const Address = "mem://server"

// Bed is a server and the network on which others reach it.
type Bed struct {
	Server  *rpc.Endpoint
	Log     *Log // of the server
	network *memory.Network
}

// New serves an endpoint until the end of the test.
func New(t testing.TB, c rpc.Config) *Bed {
	t.Helper()
	b := &Bed{Log: new(Log), network: memory.New()}
	c.Logger = slog.New(slog.NewTextHandler(b.Log, nil))
	b.Server = b.Endpoint(t, c)
	ln := b.Listen(t, Address)
	serving := group.New(context.Background(), nil)
	serving.Go("serve", func(context.Context) {
		if err := b.Server.Serve(ln); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	t.Cleanup(func() {
		b.Server.Close()
		if err := serving.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Endpoint makes one more, which closes at the end of the test.
func (b *Bed) Endpoint(t testing.TB, c rpc.Config) *rpc.Endpoint {
	t.Helper()
	c.Transports = []transport.Transport{b.network}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := rpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// Listen is for a server that is none of ours.
func (b *Bed) Listen(t testing.TB, address string) net.Listener {
	t.Helper()
	ln, err := b.Server.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// Dial makes a session to the server.
func (b *Bed) Dial(t testing.TB, c rpc.Config) *rpc.Session {
	t.Helper()
	s, err := b.Endpoint(t, c).Dial(t.Context(), Address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Peer makes a bare connection to the server.
func (b *Bed) Peer(t testing.TB) *Peer {
	t.Helper()
	conn, err := b.network.Dial(t.Context(), "server")
	if err != nil {
		t.Fatal(err)
	}
	return NewPeer(t, conn)
}

// Log collects what an endpoint logs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*Log)(nil)

// Write adds to the log.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// String is all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Eventually waits for what no channel tells.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
		<-time.After(time.Millisecond)
	}
}

// WantCode ends the test if err has another code; it gives the status.
func WantCode(t testing.TB, err error, code status.Code) *status.Status {
	t.Helper()
	st, _ := status.From(err)
	if status.CodeOf(err) != code {
		t.Fatalf("got %v, want code %d", err, code)
	}
	return st
}
