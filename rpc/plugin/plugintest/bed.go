package plugintest

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/internal/rpctest"
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
	rpctest.Serve(t, b.Server, Address)
	return b
}

// Endpoint makes one more, which closes at the end of the test.
func (b *Bed) Endpoint(t testing.TB, c rpc.Config) *rpc.Endpoint {
	t.Helper()
	c.Transports = []transport.Transport{b.network}
	return rpctest.Endpoint(t, c)
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
	return rpctest.Dial(t, b.Endpoint(t, c), Address)
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
