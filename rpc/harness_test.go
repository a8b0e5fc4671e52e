package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/raw"
	wsproto "github.com/dserver/dserver/rpc/proto/ws"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/memory"
	"github.com/dserver/dserver/rpc/transport/tcp"
	"github.com/dserver/dserver/rpc/transport/unix"
	"github.com/dserver/dserver/rpc/transport/ws"
)

// logBook collects what an endpoint logs.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// bed is a server and a client endpoint that share transports.
type bed struct {
	t         *testing.T
	server    *rpc.Endpoint
	client    *rpc.Endpoint
	serverLog *logBook
	clientLog *logBook
	address   string
	proto     proto.Factory
	textOnly  bool // its protocol carries bodies of UTF-8 only
}

// config is for further endpoints that shall speak with those of the bed.
func (b *bed) config() rpc.Config {
	return rpc.Config{Proto: b.proto, Logger: slog.New(slog.NewTextHandler(b.serverLog, nil))}
}

// combination is one cell of the table of protocols and transports.
type combination struct {
	name    string
	proto   proto.Factory
	text    bool // bodies must be UTF-8
	address func(t *testing.T) string
}

func combinations() []combination {
	protos := []struct {
		name string
		make proto.Factory
		text bool
	}{
		{"raw", raw.New, false},
		{"classic", raw.Options{Classic: true}.New, false},
		{"pb", pb.New, false},
		{"json", json.New, true},
		{"http", http.New, false},
		{"lines", newLineProto, false},
	}
	addresses := []struct {
		name string
		make func(t *testing.T) string
	}{
		{"tcp", func(*testing.T) string { return "tcp://127.0.0.1:0" }},
		{"unix", func(t *testing.T) string { return "unix://" + filepath.Join(t.TempDir(), "s") }},
		{"mem", func(*testing.T) string { return "mem://server" }},
	}
	var list []combination
	for _, p := range protos {
		for _, a := range addresses {
			list = append(list, combination{p.name + "/" + a.name, p.make, p.text, a.make})
		}
	}
	// A websocket carries messages without the frames of most protocols.
	websocket := func(*testing.T) string { return "ws://127.0.0.1:0/ws" }
	return append(list,
		combination{"ws-json/ws", wsproto.JSON, true, websocket},
		combination{"ws-pb/ws", wsproto.PB, false, websocket})
}

// everywhere runs one test body on every combination.
func everywhere(t *testing.T, c rpc.Config, body func(t *testing.T, b *bed)) {
	for _, cell := range combinations() {
		t.Run(cell.name, func(t *testing.T) {
			c := c
			c.Proto = cell.proto
			b := newBed(t, c, c, cell.address(t))
			b.textOnly = cell.text
			body(t, b)
		})
	}
}

// onTCP is a bed with the defaults of a user.
func onTCP(t *testing.T, server rpc.Config) *bed {
	return newBed(t, server, rpc.Config{}, "tcp://127.0.0.1:0")
}

func newBed(t *testing.T, server, client rpc.Config, address string) *bed {
	t.Helper()
	b := &bed{t: t, serverLog: new(logBook), clientLog: new(logBook), proto: server.Proto}
	transports := []transport.Transport{tcp.Transport{}, unix.Transport{}, memory.New(), ws.Transport{}}
	server.Transports, client.Transports = transports, transports
	server.Logger = slog.New(slog.NewTextHandler(b.serverLog, nil))
	client.Logger = slog.New(slog.NewTextHandler(b.clientLog, nil))
	b.server, b.client = newEndpoint(t, server), newEndpoint(t, client)
	b.address = serve(t, b.server, address)
	return b
}

// newEndpoint closes at the end of the test and expects nothing to be stuck.
func newEndpoint(t *testing.T, c rpc.Config) *rpc.Endpoint {
	t.Helper()
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

// serve listens and serves until the endpoint closes; it gives the address.
func serve(t *testing.T, e *rpc.Endpoint, address string) string {
	t.Helper()
	ln, err := e.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	serveListener(t, e, ln)
	scheme, _, _ := strings.Cut(address, "://")
	return scheme + "://" + ln.Addr().String()
}

func serveListener(t *testing.T, e *rpc.Endpoint, ln net.Listener) {
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	t.Cleanup(func() {
		e.Close()
		if err := <-served; !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func (b *bed) dial() *rpc.Session {
	b.t.Helper()
	s, err := b.client.Dial(b.t.Context(), b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// accepted waits for the server's end of the first session.
func (b *bed) accepted() *rpc.Session {
	b.t.Helper()
	var s *rpc.Session
	eventually(b.t, "a session is accepted", func() bool {
		list := b.server.Sessions()
		if len(list) > 0 {
			s = list[0]
		}
		return s != nil
	})
	return s
}

// eventually polls for what no channel tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10 s: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// within fails the test if c gives nothing in time.
func within[T any](t *testing.T, d time.Duration, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(d):
		t.Fatalf("not in %v: %s", d, what)
	}
	return v
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func wantCode(t *testing.T, err error, code status.Code) *status.Status {
	t.Helper()
	s, _ := status.From(err)
	if status.CodeOf(err) != code {
		t.Fatalf("got %v, want code %d", err, code)
	}
	return s
}

func mustHandle[Req, Res any](t *testing.T, e *rpc.Endpoint, method string, f func(rpc.Context, Req) (Res, error), opts ...rpc.RouteOption) {
	t.Helper()
	if err := rpc.Handle(e, method, f, opts...); err != nil {
		t.Fatal(err)
	}
}

func mustHandlePush[Req any](t *testing.T, e *rpc.Endpoint, method string, f func(rpc.Context, Req) error, opts ...rpc.RouteOption) {
	t.Helper()
	if err := rpc.HandlePush(e, method, f, opts...); err != nil {
		t.Fatal(err)
	}
}

// echo registers /echo, which answers with its request.
func echo(t *testing.T, e *rpc.Endpoint) {
	t.Helper()
	mustHandle(t, e, "/echo", func(_ rpc.Context, s string) (string, error) { return s, nil })
}

// gate registers /gate, whose handlers report their contexts and then wait.
type gate struct {
	entered chan rpc.Context
	open    chan struct{}
}

func newGate(t *testing.T, e *rpc.Endpoint, opts ...rpc.RouteOption) *gate {
	g := &gate{entered: make(chan rpc.Context, 1000), open: make(chan struct{})}
	mustHandle(t, e, "/gate", func(ctx rpc.Context, _ any) (string, error) {
		g.entered <- ctx
		<-g.open
		return "through", nil
	}, opts...)
	return g
}
