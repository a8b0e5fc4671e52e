package ws_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/filter/md5"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	wsproto "github.com/dserver/dserver/rpc/proto/ws"
	"github.com/dserver/dserver/rpc/status"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/ws"
)

// bed is a server and a client that have met.
type bed struct {
	server, client *rpc.Endpoint
	address        string
	session        *rpc.Session
}

// everywhere runs a test with both sub protocols and what follows them, with TLS and
// without.
func everywhere(t *testing.T, body func(t *testing.T, b *bed)) {
	for _, p := range []struct {
		name           string
		server, client proto.Factory
	}{
		{"json", wsproto.JSON, wsproto.JSON},
		{"pb", wsproto.PB, wsproto.PB},
		{"auto and json", wsproto.Auto, wsproto.JSON},
		{"auto and pb", wsproto.Auto, wsproto.PB},
	} {
		for _, secure := range []bool{false, true} {
			o := ws.Options{Logger: quiet()}
			if secure {
				o.TLS = both()
			}
			t.Run(fmt.Sprintf("%s over %s", p.name, ws.Transport{Options: o}.Scheme()), func(t *testing.T) {
				body(t, newBed(t, p.server, p.client, o))
			})
		}
	}
}

func newBed(t *testing.T, server, client proto.Factory, o ws.Options) *bed {
	transport := ws.Transport{Options: o}
	b := &bed{server: newEndpoint(t, server, transport), client: newEndpoint(t, client, transport)}
	routes(t, b.server)
	b.address = rpctest.Serve(t, b.server, transport.Scheme()+"://127.0.0.1:0/ws")
	b.session = rpctest.Dial(t, b.client, b.address)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// routes are those of the recorded server, and one for large bodies.
func routes(t *testing.T, e *rpc.Endpoint) {
	rpctest.Handle(t, e, "/math/add", func(_ rpc.Context, n []int) (sum int, err error) {
		for _, n := range n {
			sum += n
		}
		return sum, nil
	})
	rpctest.Handle(t, e, "/math/fail", func(rpc.Context, []int) (int, error) {
		return 0, &status.Status{Code: 1001, Msg: "no money", Cause: "é \"x\""}
	})
	rpctest.Handle(t, e, "/math/echo", func(ctx rpc.Context, m map[string]string) (map[string]string, error) {
		ctx.SetMeta("k", "v")
		return m, nil
	})
	rpctest.Handle(t, e, "/guarded", func(rpc.Context, any) (int, error) {
		return 0, status.New(status.Unauthorized, "token")
	})
	rpctest.Handle(t, e, "/text", func(_ rpc.Context, s string) (string, error) { return s, nil })
}

func TestF38ErrorsAreErrors(t *testing.T) {
	everywhere(t, func(t *testing.T, b *bed) {
		var sum int
		if err := b.session.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
			t.Errorf("got %d, %v", sum, err)
		}
		st := rpctest.Code(t, b.session.Call(t.Context(), "/math/fail", []int{1, 2}, &sum), 1001)
		if st.Msg != "no money" || st.Cause != "é \"x\"" {
			t.Errorf("got %+v", st)
		}
		rpctest.Code(t, b.session.Call(t.Context(), "/nope", []int{1, 2}, &sum), status.NotFound)
		rpctest.Code(t, b.session.Call(t.Context(), "/guarded", nil, nil), status.Unauthorized)
		rpctest.Code(t, b.session.Call(t.Context(), "/math/add", "no list", &sum), status.BadMessage)
	})
}

func TestF35BodiesOfAnyText(t *testing.T) {
	everywhere(t, func(t *testing.T, b *bed) {
		for _, want := range []string{`"`, `\`, "\n\t\x00\x07\x7f", "é\u2028\U0001f600", `","ptf":[`, `\"}`, strings.Repeat(`"\`+"\n", 1<<18)} {
			var got map[string]string
			if err := b.session.Call(t.Context(), "/math/echo", map[string]string{"q": want}, &got); err != nil || got["q"] != want {
				t.Errorf("%.20q: got %.20q, %v", want, got["q"], err)
			}
		}
	})
}

func TestManySessionsManyCallers(t *testing.T) {
	everywhere(t, func(t *testing.T, b *bed) {
		var all sync.WaitGroup
		for range 10 {
			s := rpctest.Dial(t, b.client, b.address)
			for i := range 4 {
				all.Go(func() {
					for range 5 {
						want := strings.Repeat("x", i*3000)
						var got string
						if err := s.Call(t.Context(), "/text", want, &got); err != nil || got != want {
							t.Errorf("got %d bytes, %v", len(got), err)
						}
					}
				})
			}
		}
		all.Wait()
	})
}

func TestPushesBothWays(t *testing.T) {
	everywhere(t, func(t *testing.T, b *bed) {
		got := make(chan string, 2)
		for _, e := range []*rpc.Endpoint{b.server, b.client} {
			rpctest.HandlePush(t, e, "/note", func(_ rpc.Context, s string) error {
				got <- s
				return nil
			})
		}
		must(t, b.session.Push(t.Context(), "/note", "up"))
		if s := rpctest.Receive(t, "a push", got); s != "up" {
			t.Errorf("got %q", s)
		}
		for _, s := range b.server.Sessions() {
			must(t, s.Push(t.Context(), "/note", "down"))
		}
		if s := rpctest.Receive(t, "a push", got); s != "down" {
			t.Errorf("got %q", s)
		}
	})
}

// TestShutdownLosesNothing: the server says that it goes, the client leaves when its
// calls are done, and both end in order.
func TestShutdownLosesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, b *bed) {
		entered, open := make(chan struct{}), make(chan struct{})
		rpctest.Handle(t, b.server, "/gate", func(rpc.Context, any) (string, error) {
			close(entered)
			<-open
			return "through", nil
		})
		client := b.client.Client(b.address)
		var got string
		called := make(chan error, 1)
		go func() { called <- client.Call(t.Context(), "/gate", nil, &got) }()
		rpctest.Receive(t, "the call runs", entered)
		done, ctx := make(chan error, 1), rpctest.Timeout(t, 20*time.Second)
		go func() { done <- b.server.Shutdown(ctx) }()
		rpctest.Receive(t, "the client knows", b.session.GoingAway())
		b.session.Close()
		close(open)
		if err := rpctest.Receive(t, "the reply", called); err != nil || got != "through" {
			t.Errorf("got %q, %v", got, err)
		}
		if err := rpctest.Receive(t, "the server is down", done); err != nil {
			t.Error(err)
		}
		rpctest.Receive(t, "the session ends", b.session.Done())
	})
}

// TestCloseCodesOfTheEndpoint: one that shuts down sends 1012, one that cuts 1001.
func TestCloseCodesOfTheEndpoint(t *testing.T) {
	server := newEndpoint(t, wsproto.JSON)
	l := listen(t, ws.Options{})
	rpctest.ServeOn(t, server, l)
	p := dialByHand(t, l, "/")
	rpctest.Eventually(t, "there is a session", func() bool { return len(server.Sessions()) == 1 })
	s := server.Sessions()[0]
	s.Close()
	p.want(final|opClose, code(1012))
	p.send(final|opClose, code(1012))
	p.wantNothingButTheEnd()
	rpctest.Receive(t, "the session ends", s.Done())

	p = dialByHand(t, l, "/")
	rpctest.Eventually(t, "there is a session", func() bool { return len(server.Sessions()) == 1 })
	server.Close()
	p.want(final|opClose, code(1001))
	p.wantClosed()
}

// TestF113SessionIDsAreOurs: what a client says about that does not count.
func TestF113SessionIDsAreOurs(t *testing.T) {
	server := newEndpoint(t, wsproto.JSON)
	l := listen(t, ws.Options{})
	rpctest.ServeOn(t, server, l)
	dialByHand(t, l, "/", "Drpc-Session-Id: admin")
	rpctest.Eventually(t, "there is a session", func() bool { return len(server.Sessions()) == 1 })
	if id := server.Sessions()[0].ID(); id == "admin" {
		t.Errorf("the session is %q", id)
	}
}

// TestUnreadableBodyIsAnsweredAndTheSessionGoesOn.
func TestUnreadableBodyIsAnsweredAndTheSessionGoesOn(t *testing.T) {
	server := newEndpoint(t, wsproto.PB)
	routes(t, server)
	l := listen(t, ws.Options{})
	rpctest.ServeOn(t, server, l)
	p := dialByHand(t, l, "/")
	framer := wsproto.PB(proto.Stream{}).(proto.Framer)
	call := func(text string) *message.Message {
		p.send(final|opBinary, text)
		_, payload := p.receive()
		m := new(message.Message)
		_, err := framer.CutFrame(frame(payload), m)
		must(t, err)
		return m
	}
	m := call("\x08\x01\x10\x01\x1a\x05/text\x28j\x32\x03\"a\"\x3a\x01?")
	if st := rpctest.Code(t, m.Status, status.BadMessage); m.Seq != 1 || !strings.Contains(st.Cause, `filter '?' is not registered`) {
		t.Errorf("got %+v", m)
	}
	if m := call("\x08\x02\x10\x01\x1a\x05/text\x28j\x32\x03\"a\""); m.Seq != 2 || m.Status != nil || string(m.Body) != `"a"` {
		t.Errorf("got %+v", m)
	}
	p.send(final|opBinary, "\x08\x03\x10\x09") // no such type
	p.wantClosed()
}

// TestFiltersOfBodies go both ways, those of a reply are those of its call, and an error
// has none.
func TestFiltersOfBodies(t *testing.T) {
	list := []filter.Filter{md5.Filter{}}
	newFiltered := func(transports ...transport.Transport) *rpc.Endpoint {
		return rpctest.Endpoint(t, rpc.Config{Proto: wsproto.PB, Filters: list, Transports: transports})
	}
	server, client := newFiltered(), newFiltered(ws.Transport{})
	routes(t, server)
	l := listen(t, ws.Options{})
	rpctest.ServeOn(t, server, l)
	s := rpctest.Dial(t, client, "ws://"+l.Addr().String())
	var sum int
	if err := s.Call(t.Context(), "/math/add", []int{1, 2}, &sum, rpc.WithFilters(filter.IDMD5)); err != nil || sum != 3 {
		t.Errorf("got %d, %v", sum, err)
	}
	rpctest.Code(t, s.Call(t.Context(), "/math/fail", []int{1}, &sum, rpc.WithFilters(filter.IDMD5)), 1001)

	p := dialByHand(t, l, "/")
	p.send(final|opBinary, "\x08\x01\x10\x01\x1a\x05/text\x28j\x32\x13\"a\""+md5Of(`"a"`)+"\x3a\x015")
	p.want(final|opBinary, "\x08\x01\x10\x02\x22\x02{}\x28j\x32\x13\"a\""+md5Of(`"a"`)+"\x3a\x015")
	p.send(final|opBinary, "\x08\x02\x10\x01\x1a\x05/nope\x28j\x32\x13\"a\""+md5Of(`"a"`)+"\x3a\x015")
	_, payload := p.receive()
	if !strings.HasPrefix(payload, "\x08\x02\x10\x02\x22\x02{}\x42") {
		t.Errorf("got %q", payload)
	}
}

func md5Of(text string) string {
	sum, _ := md5.Filter{}.AppendPack(nil, []byte(text))
	return string(sum[len(text):])
}

// TestTrickleEndsTheSession, where the endpoint itself sees no part of a message.
func TestTrickleEndsTheSession(t *testing.T) {
	server := newEndpoint(t, wsproto.JSON)
	l := listen(t, ws.Options{FrameTime: 50 * time.Millisecond})
	rpctest.ServeOn(t, server, l)
	p := dialByHand(t, l, "/")
	p.send(opBinary, `{"seq":`)
	p.wantClosed()
}

func TestListenerForASandbox(t *testing.T) {
	// Somebody else opened it; TLS is ours.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	o := ws.Options{TLS: both(), Path: "/ws", Logger: quiet(), Subprotocols: []string{wsproto.SubprotocolPB}}
	l, err := ws.NewListener(ln, o)
	must(t, err)
	server, client := newEndpoint(t, wsproto.PB), newEndpoint(t, wsproto.PB, ws.Transport{Options: o})
	routes(t, server)
	rpctest.ServeOn(t, server, l)
	s := rpctest.Dial(t, client, "wss://"+l.Addr().String())
	var sum int
	if err := s.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
		t.Errorf("got %d, %v", sum, err)
	}
	if c, ok := s.Conn().(*ws.Conn); !ok || c.Subprotocol() != wsproto.SubprotocolPB {
		t.Errorf("the connection is %v", s.Conn())
	}
}

func TestHandlerForAnEndpoint(t *testing.T) {
	server, client := newEndpoint(t, wsproto.Auto), newEndpoint(t, wsproto.JSON, ws.Transport{})
	routes(t, server)
	h, err := ws.NewHandler(ws.Options{Logger: quiet()}, func(c net.Conn) {
		if _, err := server.ServeConn(c); err != nil {
			t.Error(err)
		}
	})
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/rpc", h)
	web := httptest.NewServer(mux)
	defer web.Close()
	c := client.Client("ws://" + strings.TrimPrefix(web.URL, "http://") + "/rpc")
	defer c.Close()
	var sum int
	if err := c.Call(t.Context(), "/math/add", []int{1, 2}, &sum); err != nil || sum != 3 {
		t.Errorf("got %d, %v", sum, err)
	}
}

func TestDialErrorsHaveTheirCode(t *testing.T) {
	l := listen(t, ws.Options{Path: "/ws"})
	client := newEndpoint(t, wsproto.JSON, ws.Transport{})
	_, err := client.Dial(t.Context(), "ws://"+host(l)+"/elsewhere")
	var refused *ws.HandshakeError
	if rpctest.Code(t, err, status.DialFailed); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("got %v", err)
	}
}

// TestBigBodies go as one message each, and over the limit of the receiver as none.
func TestBigBodies(t *testing.T) {
	b := newBed(t, wsproto.PB, wsproto.PB, ws.Options{Logger: quiet(), Message: 4 << 20})
	rpctest.Handle(t, b.server, "/bytes", func(_ rpc.Context, in []byte) ([]byte, error) { return in, nil })
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	var got []byte
	if err := b.session.Call(t.Context(), "/bytes", big, &got); err != nil || !bytes.Equal(got, big) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	err := b.session.Call(context.Background(), "/bytes", make([]byte, 5<<20), &got)
	rpctest.Code(t, err, status.ConnectionClosed)
}
