package ws_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/transport/ws"
)

func TestAddresses(t *testing.T) {
	for _, tls := range []bool{false, true} {
		transport := ws.Transport{Options: ws.Options{Logger: quiet()}}
		if tls {
			transport.Options.TLS = both()
		}
		if want := map[bool]string{false: "ws", true: "wss"}[tls]; transport.Scheme() != want {
			t.Errorf("the scheme is %s, want %s", transport.Scheme(), want)
		}
		for path, want := range map[string]string{"": "", "/": "", "/a/b": "/a/b", "/%C3%A9": "/é"} {
			l, err := transport.Listen(t.Context(), "127.0.0.1:0"+path)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Addr().String(); got != host(l)+want {
				t.Errorf("%q: the address is %s", path, got)
			}
			conn, err := transport.Dial(t.Context(), host(l)+path+"?token=x")
			if err != nil {
				t.Fatalf("%q: %v", path, err)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			accepted.Close()
			l.Close()
		}
		for _, address := range []string{"", "/path", "127.0.0.1:0/a?b", "user@127.0.0.1:0", "127.0.0.1:0/#a", "%", "no such host:0"} {
			if l, err := transport.Listen(t.Context(), address); err == nil {
				t.Errorf("listens on %q", address)
				l.Close()
			}
		}
		for _, address := range []string{"", "/path", "%", "127.0.0.1:0/#a"} {
			if conn, err := transport.Dial(t.Context(), address); err == nil {
				t.Errorf("dialled %q", address)
				conn.Close()
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, test := range []struct {
		o    ws.Options
		want string
	}{
		{ws.Options{Path: "a"}, "Path"},
		{ws.Options{Path: "/a?b"}, "Path"},
		{ws.Options{Origins: []string{"example.com"}}, "Origins"},
		{ws.Options{Origins: []string{"https://example.com/"}}, "Origins"},
		{ws.Options{Origins: []string{"ws://example.com"}}, "Origins"},
		{ws.Options{Subprotocols: []string{""}}, "Subprotocols"},
		{ws.Options{Subprotocols: []string{"a, b"}}, "Subprotocols"},
		{ws.Options{Message: ws.MaxMessage + 1}, "Message"},
		{ws.Options{Message: -1}, "Message"},
		{ws.Options{HandshakeTime: -1}, "HandshakeTime"},
		{ws.Options{FrameTime: -1}, "FrameTime"},
		{ws.Options{Handshakes: -1}, "Handshakes"},
	} {
		_, listenErr := ws.NewListener(ln, test.o)
		_, dialErr := ws.Transport{Options: test.o}.Dial(t.Context(), ln.Addr().String())
		_, handlerErr := ws.NewHandler(test.o, func(net.Conn) {})
		for _, err := range []error{listenErr, dialErr, handlerErr} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v: got %v", test.o, err)
			}
		}
	}
	if _, err := ws.NewHandler(ws.Options{}, nil); err == nil {
		t.Error("a handler for nobody")
	}
}

func TestWhatIsNoWebsocketIsToldSo(t *testing.T) {
	l := listen(t, ws.Options{Path: "/ws"})
	for path, want := range map[string]int{"/": 404, "/ws/": 404, "/WS": 404, "/ws": 426, "/ws?a=b": 426} {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + host(l) + path)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, answer.StatusCode, want)
		}
	}
	_, err := ws.Transport{}.Dial(t.Context(), host(l)+"/elsewhere")
	var refused *ws.HandshakeError
	if !errors.As(err, &refused) || refused.Status != 404 || !strings.Contains(err.Error(), "/elsewhere: the server answered 404 Not Found: there is no websocket") {
		t.Errorf("got %v", err)
	}
}

func TestDialFollowsNobody(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("/else", http.StatusFound))
	defer s.Close()
	_, err := ws.Transport{}.Dial(t.Context(), strings.TrimPrefix(s.URL, "http://"))
	var refused *ws.HandshakeError
	if !errors.As(err, &refused) || refused.Status != http.StatusFound {
		t.Errorf("got %v", err)
	}
}

func TestDialSendsItsHeader(t *testing.T) {
	seen := make(chan http.Header, 2)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	o := ws.Options{Header: http.Header{"Authorization": {"Bearer x"}}}
	if _, err := (ws.Transport{Options: o}).Dial(t.Context(), address+"/a%20b"); err == nil {
		t.Error("a websocket of nothing")
	}
	if h := <-seen; h.Get("Authorization") != "Bearer x" || h.Get("Origin") != "ws://"+address+"/a%20b" {
		t.Errorf("got %v", h)
	}
	if len(o.Header) != 1 {
		t.Errorf("the options are %v now", o.Header)
	}
	o.Header.Set("Origin", "https://example.com")
	ws.Transport{Options: o}.Dial(t.Context(), address)
	if h := <-seen; h.Get("Origin") != "https://example.com" {
		t.Errorf("got %v", h)
	}
}

func TestQueueIsBounded(t *testing.T) {
	l := listen(t, ws.Options{})
	for range 128 {
		dial(t, ws.Options{}, l)
	}
	_, err := ws.Transport{}.Dial(t.Context(), l.Addr().String())
	var refused *ws.HandshakeError
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("got %v", err)
	}
	accept(t, l)
	dial(t, ws.Options{}, l)
}

// TestListenerCloseEndsWhatNobodyAccepted and nothing else, and gives those a chance
// that are about to be.
func TestListenerCloseEndsWhatNobodyAccepted(t *testing.T) {
	l := listen(t, ws.Options{})
	near := dial(t, ws.Options{}, l)
	far := accept(t, l)
	waiting := dialByHand(t, l, "/")
	half, err := net.Dial("tcp", host(l))
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	io.WriteString(half, "GET / HT")
	start := time.Now()
	l.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	waiting.want(final|opClose, code(1001))
	waiting.wantClosed()
	(&peer{Conn: half, t: t, r: waiting.r}).wantClosed()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if conn, err := net.Dial("tcp", host(l)); err == nil {
		t.Error("still listens")
		conn.Close()
	}
	near.Write(frame("lives on"))
	wantFrame(t, far, "lives on")
	l.Close()
}

func TestCloseLetsHandshakesFinish(t *testing.T) {
	l := listen(t, ws.Options{})
	conn, err := net.Dial("tcp", host(l))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// It is known to the server once that has answered another one.
	dial(t, ws.Options{}, l)
	accept(t, l)
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		accepted <- err
	}()
	closed := make(chan struct{})
	go func() {
		l.Close()
		close(closed)
	}()
	rpctest.Eventually(t, "nobody can connect any more", func() bool {
		c, err := net.Dial("tcp", host(l))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: OKGzQKl/CuzRC9f402zjcQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if err := rpctest.Receive(t, "it is accepted", accepted); err != nil {
		t.Error(err)
	}
	rpctest.Receive(t, "the listener closes", closed)
}

// TestReplacedListenersLoseNoHandshake: when servers that share a socket follow each
// other, as at a reload, who connects meanwhile does not notice.
func TestReplacedListenersLoseNoHandshake(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer socket.Close()
	stop := make(chan struct{})
	var dialled atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := ws.Transport{}.Dial(t.Context(), socket.Addr().String())
				if err != nil {
					t.Errorf("after %d: %v", dialled.Load(), err)
					return
				}
				got := make([]byte, len(frame("hello")))
				if _, err := io.ReadFull(conn, got); err != nil {
					t.Errorf("after %d: %v", dialled.Load(), err)
				}
				conn.Close()
				dialled.Add(1)
			}
		})
	}
	for range 10 {
		l, served := greeter(t, socket)
		before := dialled.Load()
		rpctest.Eventually(t, "some connect", func() bool { return dialled.Load() > before+5 || t.Failed() })
		next, nextServed := greeter(t, socket)
		l.Close()
		rpctest.Receive(t, "the old one has ended", served)
		defer rpctest.Receive(t, "the last one has ended", nextServed)
		defer next.Close()
	}
	close(stop)
	all.Wait()
}

// greeter serves the socket by a listener of its own.
func greeter(t *testing.T, socket net.Listener) (l *ws.Listener, served chan struct{}) {
	t.Helper()
	file, err := socket.(*net.TCPListener).File()
	must(t, err)
	defer file.Close()
	ln, err := net.FileListener(file)
	must(t, err)
	l, err = ws.NewListener(ln, ws.Options{Logger: quiet()})
	must(t, err)
	served = make(chan struct{})
	go func() {
		defer close(served)
		var all sync.WaitGroup
		defer all.Wait()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				conn.Write(frame("hello"))
				io.Copy(io.Discard, conn)
				conn.Close()
			})
		}
	}()
	return l, served
}

// TestListenerThatFails hands its error on.
func TestListenerThatFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ws.NewListener(ln, ws.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	l.Close()
}

// TestHandlerOnAServerOfOthers, which has other pages as well, behind what wraps it.
func TestHandlerOnAServerOfOthers(t *testing.T) {
	conns := make(chan net.Conn, 1)
	h, err := ws.NewHandler(ws.Options{Logger: quiet()}, func(c net.Conn) { conns <- c })
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(struct{ http.ResponseWriter }{wrapped{w}}, r)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") })
	s := httptest.NewUnstartedServer(mux)
	s.Config.WriteTimeout, s.Config.ReadTimeout = time.Millisecond, time.Minute
	s.Start()
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	if _, err := (ws.Transport{}).Dial(t.Context(), address+"/ws"); err == nil {
		t.Error("a websocket of what cannot be hijacked")
	}
	mux.Handle("/deep/ws", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped{w}, r) }))
	near, err := ws.Transport{}.Dial(t.Context(), address+"/deep/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far := rpctest.Receive(t, "a websocket", conns)
	defer far.Close()
	far.Write(frame("hello"))
	wantFrame(t, near, "hello")
}

// wrapped is a response as middleware wraps it.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
