package http_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	nethttp "net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/form"
	"github.com/dserver/dserver/rpc/filter"
	gzipfilter "github.com/dserver/dserver/rpc/filter/gzip"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/status"
)

// text collects what is logged.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *text) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server is an endpoint that serves HTTP.
type server struct {
	*rpc.Endpoint
	address string
	log     *text
	gate    chan struct{} // lets one call of /gate go on
	entered chan string   // its requests
	noted   chan string   // what was pushed
}

func config(t testing.TB, factory proto.Factory, log io.Writer) rpc.Config {
	t.Helper()
	gzip, err := gzipfilter.New(gzipfilter.Default)
	if err != nil {
		t.Fatal(err)
	}
	return rpc.Config{
		Proto: factory, Codecs: []codec.Codec{codec.JSON{}, form.Codec{}}, Filters: []filter.Filter{gzip},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

func newServer(t testing.TB, limits rpc.Limits) *server {
	t.Helper()
	return newServerWith(t, func(c *rpc.Config) { c.Limits = limits })
}

func newServerWith(t testing.TB, change func(c *rpc.Config)) *server {
	t.Helper()
	s := &server{log: new(text), gate: make(chan struct{}), entered: make(chan string, 1000), noted: make(chan string, 1000)}
	c := config(t, http.Options{Headers: []string{"X-Tenant"}}.New, s.log)
	change(&c)
	e, err := rpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Endpoint = e
	s.routes(t)
	ln, err := e.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s
}

func (s *server) routes(t testing.TB) {
	t.Helper()
	err := errors.Join(
		rpc.Handle(s.Endpoint, "/echo", func(_ rpc.Context, text string) (string, error) { return text, nil }),
		rpc.Handle(s.Endpoint, "/sum", func(_ rpc.Context, n []int) (sum int, err error) {
			for _, n := range n {
				sum += n
			}
			return sum, nil
		}),
		rpc.Handle(s.Endpoint, "/form", func(_ rpc.Context, pairs url.Values) (url.Values, error) { return pairs, nil }),
		rpc.Handle(s.Endpoint, "/meta", func(ctx rpc.Context, _ any) (string, error) {
			ctx.SetMeta("X-Answer", "42")
			return ctx.Meta("X-Tenant") + ctx.Meta("x"), nil
		}),
		rpc.Handle(s.Endpoint, "/fail", func(rpc.Context, any) (any, error) { return nil, status.New(1001, "as asked") }),
		rpc.Handle(s.Endpoint, "/gate", func(ctx rpc.Context, text string) (string, error) {
			s.entered <- text
			select {
			case <-s.gate:
			case <-ctx.Done():
			}
			return text, ctx.Err()
		}),
		rpc.HandlePush(s.Endpoint, "/note", func(_ rpc.Context, text string) error {
			s.noted <- text
			return nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) url(path string) string { return "http://" + s.address + path }

// raw is a connection for bytes made by hand.
type raw struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (s *server) dial(t testing.TB) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &raw{t, conn, bufio.NewReader(conn)}
}

func (r *raw) send(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r, text); err != nil {
		r.t.Fatal(err)
	}
}

// answer reads a response to a request of that method.
func (r *raw) answer(method string) (*nethttp.Response, string) {
	r.t.Helper()
	resp, err := nethttp.ReadResponse(r.r, &nethttp.Request{Method: method})
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(body)
}

func (r *raw) want(code int, body string) *nethttp.Response {
	r.t.Helper()
	resp, got := r.answer("POST")
	if resp.StatusCode != code || got != body {
		r.t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, code, body)
	}
	return resp
}

func (r *raw) wantEnd() {
	r.t.Helper()
	if rest, err := io.ReadAll(r.r); err != nil || len(rest) > 0 {
		r.t.Errorf("the connection goes on: %q, %v", rest, err)
	}
}

func newClient(t testing.TB) *nethttp.Client {
	transport := &nethttp.Transport{ExpectContinueTimeout: time.Minute, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &nethttp.Client{Transport: transport, Timeout: 20 * time.Second}
}

func do(t testing.TB, c *nethttp.Client, req *nethttp.Request) (*nethttp.Response, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(t testing.TB, method, url string, body io.Reader, headers ...string) *nethttp.Request {
	t.Helper()
	req, err := nethttp.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func TestClientOfNetHTTP(t *testing.T) {
	s := newServer(t, rpc.Limits{Message: 1 << 20})
	c := newClient(t)
	const jsonType = "application/json;charset=utf-8"
	for _, test := range []struct {
		method, path string
		body         string
		headers      []string
		code         int
		want         string
		contentType  string
	}{
		{"POST", "/sum", "[1,2,3]", nil, 200, "6", jsonType},
		{"POST", "/sum", "[1,2,3]", []string{"Content-Type", "application/json"}, 200, "6", jsonType},
		{"POST", "/form", "a=b+c", []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, "a=b+c",
			"application/x-www-form-urlencoded;charset=utf-8"},
		{"POST", "/form", "a=b+c", []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json"}, 200, `{"a":["b c"]}`, jsonType},
		{"GET", "/form?a=b+c&d=%C3%A9", "", nil, 200, `{"a":["b c"],"d":["é"]}`, jsonType},
		{"GET", "/form?a=b", "", []string{"Accept", "application/x-www-form-urlencoded"}, 200, "a=b", "application/x-www-form-urlencoded;charset=utf-8"},
		{"HEAD", "/form?a=b+c", "", nil, 200, "", jsonType},
		{"POST", "/meta?x=%20y", "", []string{"X-Tenant", "t", "X-Real-IP", "1.1.1.1"}, 200, `"t y"`, jsonType},
		{"GET", "/fail", "", nil, 422, `{"code":1001,"msg":"code 1001","cause":"as asked"}`, "application/json"},
		{"GET", "/none", "", nil, 404, `{"code":404,"msg":"Not Found","cause":""}`, "application/json"},
		{"HEAD", "/none", "", nil, 404, "", "application/json"},
		{"POST", "/note", `"x"`, []string{"X-MType", "3"}, 204, "", ""},
		{"POST", "/none", `"x"`, []string{"X-MType", "3"}, 204, "", ""},
		{"POST", "/sum", "x", []string{"Content-Type", "image/png"}, 415, "", "application/json"},
		{"POST", "/sum", "{", nil, 400, "", "application/json"},
		{"PUT", "/sum", "[1]", nil, 405, "", "application/json"},
		{"POST", "/echo", `"` + strings.Repeat("x", 500_000) + `"`, nil, 200, `"` + strings.Repeat("x", 500_000) + `"`, jsonType},
		{"POST", "/echo", `"` + strings.Repeat("x", 1<<20) + `"`, nil, 413, "", "application/json"},
	} {
		resp, body := do(t, c, request(t, test.method, s.url(test.path), strings.NewReader(test.body), test.headers...))
		if resp.StatusCode != test.code || test.want != "" && body != test.want || resp.Header.Get("Content-Type") != test.contentType {
			t.Errorf("%s %s: got %d %.200q, %v", test.method, test.path, resp.StatusCode, body, resp.Header)
		}
		if test.path == "/meta?x=%20y" && resp.Header.Get("X-Answer") != "42" {
			t.Errorf("no metadata in %v", resp.Header)
		}
	}
	if got := <-s.noted; got != "x" {
		t.Errorf("noted %q", got)
	}
}

// TestKeepAliveIsKept: one connection is enough, whatever the answers are.
func TestKeepAliveIsKept(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	c := newClient(t)
	for i := range 50 {
		method := []string{"GET", "HEAD", "POST", "DELETE"}[i%4]
		path := []string{"/form?a=b", "/none", "/fail"}[i%3]
		do(t, c, request(t, method, s.url(path), nil))
	}
	if got := s.Stats().Sessions; got != 1 {
		t.Errorf("%d connections", got)
	}
	resp, _ := do(t, c, request(t, "GET", s.url("/form?a=b"), nil, "Connection", "close"))
	if !resp.Close {
		t.Error("the end is not announced")
	}
	eventually(t, "the connection ends", func() bool { return s.Stats().Sessions == 0 })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10 s: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func TestManyClientsOfNetHTTP(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	c := newClient(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for j := range 30 {
				want := `"` + strings.Repeat(itoa(i*j), 100) + `"`
				if resp, body := do(t, c, request(t, "POST", s.url("/echo"), strings.NewReader(want))); resp.StatusCode != 200 || body != want {
					t.Errorf("got %d, %.50q", resp.StatusCode, body)
				}
			}
		})
	}
	all.Wait()
}

// onlyReader hides the length.
type onlyReader struct{ io.Reader }

func TestUploads(t *testing.T) {
	s := newServer(t, rpc.Limits{Message: 1 << 20})
	c := newClient(t)
	text := `"` + strings.Repeat("x", 300_000) + `"`
	for name, req := range map[string]*nethttp.Request{
		"chunks": request(t, "POST", s.url("/echo"), onlyReader{strings.NewReader(text)}),
		"expect": request(t, "POST", s.url("/echo"), strings.NewReader(text), "Expect", "100-continue"),
		"both":   request(t, "POST", s.url("/echo"), onlyReader{strings.NewReader(text)}, "Expect", "100-continue"),
		"gzip":   request(t, "POST", s.url("/echo"), strings.NewReader(gzipped(t, text)), "Content-Encoding", "gzip"),
	} {
		resp, body := do(t, c, req)
		if resp.StatusCode != 200 || body != text {
			t.Errorf("%s: got %d, %d bytes", name, resp.StatusCode, len(body))
		}
		if name == "gzip" && !resp.Uncompressed {
			t.Error("the answer is not compressed")
		}
	}
	big := strings.Repeat("x", 2<<20)
	resp, _ := do(t, c, request(t, "POST", s.url("/echo"), strings.NewReader(big), "Expect", "100-continue"))
	if resp.StatusCode != 413 {
		t.Errorf("too much: got %d", resp.StatusCode)
	}
}

// TestPipelinedRequests are handled at once and answered in their order.
func TestPipelinedRequests(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	r.send("POST /gate HTTP/1.1\r\nContent-Length: 3\r\n\r\n\"a\"" +
		"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\n\"b\"" +
		"GET /none HTTP/1.1\r\n\r\n" +
		"POST /note HTTP/1.1\r\nX-MType: 3\r\nContent-Length: 3\r\n\r\n\"c\"" +
		"PATCH /echo HTTP/1.1\r\n\r\n" +
		"POST /gate HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\"d\"" +
		"GET /never HTTP/1.1\r\n\r\n")
	for range 2 {
		<-s.entered
	}
	if got := <-s.noted; got != "c" {
		t.Errorf("noted %q", got)
	}
	s.gate <- struct{}{}
	s.gate <- struct{}{}
	r.want(200, `"a"`)
	r.want(200, `"b"`)
	r.want(404, `{"code":404,"msg":"Not Found","cause":""}`)
	r.want(204, "")
	if resp, _ := r.answer("PATCH"); resp.StatusCode != 405 {
		t.Errorf("got %d", resp.StatusCode)
	}
	if resp := r.want(200, `"d"`); !resp.Close {
		t.Error("the end is not announced")
	}
	r.wantEnd()
}

func TestPipelineUnderLoad(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	const requests = 3000
	sent := make(chan error, 1)
	go func() {
		var b strings.Builder
		for i := range requests {
			body := itoa(i)
			b.WriteString("POST /sum HTTP/1.1\r\nContent-Length: " + itoa(len(body)+2) + "\r\n\r\n[" + body + "]")
		}
		_, err := io.WriteString(r, b.String())
		sent <- err
	}()
	for i := range requests {
		r.want(200, itoa(i))
		if t.Failed() {
			break
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestOldPeerByHand(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	const head = "Accept-Encoding: gzip\r\nContent-Length: 7\r\nContent-Type: application/json;charset=utf-8\r\n" +
		"User-Agent: drpc-httpproto/1.1\r\nX-Mtype: 1\r\nX-Seq: "
	r.send("POST /gate HTTP/1.1\r\n" + head + "1\r\n\r\n\"first\"" + "POST /sum HTTP/1.1\r\n" + head + "2\r\n\r\n[1,2,3]")
	want := "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: application/json;charset=utf-8\r\nX-MType: 2\r\nX-Seq: 2\r\n\r\n6"
	r.wantBytes(want) // its number pairs it
	s.gate <- struct{}{}
	r.wantBytes("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json;charset=utf-8\r\nX-MType: 2\r\nX-Seq: 1\r\n\r\n\"first\"")
	r.send("POST /none HTTP/1.1\r\n" + head + "3\r\n\r\n[1,2,3]")
	r.wantBytes("HTTP/1.1 299 Business Error\r\nContent-Length: 41\r\nContent-Type: application/json\r\nX-MType: 2\r\nX-Seq: 3\r\n\r\n" +
		`{"code":404,"msg":"Not Found","cause":""}`)
	// The server calls back.
	sess := s.Sessions()[0]
	called := make(chan error, 1)
	var got string
	go func() { called <- sess.Call(t.Context(), "/back", 7, &got) }()
	r.wantBytes("POST /back HTTP/1.1\r\nAccept-Encoding: gzip\r\nContent-Length: 1\r\nContent-Type: application/json;charset=utf-8\r\n" +
		"User-Agent: dserver-http/1\r\nX-MType: 1\r\nX-Seq: 1\r\n\r\n7")
	r.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json;charset=utf-8\r\nX-Mtype: 2\r\nX-Seq: 1\r\n\r\n\"\"")
	if err := <-called; err != nil {
		t.Error(err)
	}
}

func (r *raw) wantBytes(want string) {
	r.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r.r, got); err != nil || string(got) != want {
		r.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// TestF1HugeLength costs its sender the connection, and us nothing.
func TestF1HugeLength(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		r := s.dial(t)
		r.send("POST /echo HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx")
		if resp, _ := r.answer("POST"); resp.StatusCode != 413 || !resp.Close {
			t.Errorf("got %v", resp)
		}
		r.wantEnd()
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
	if !strings.Contains(s.log.String(), "the body has more than") {
		t.Errorf("log: %s", s.log)
	}
}

// TestClientThatClosesItsSideIsAnswered, as one that sends from a pipe does.
func TestClientThatClosesItsSideIsAnswered(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	r.send("POST /gate HTTP/1.1\r\nContent-Length: 3\r\n\r\n\"a\"")
	<-s.entered
	if err := r.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server knows", func() bool { return len(s.Sessions()) == 0 })
	s.gate <- struct{}{}
	r.want(200, `"a"`)
	r.wantEnd()
}

func TestSlowPeerIsCutOff(t *testing.T) {
	s := newServer(t, rpc.Limits{FrameTime: 50 * time.Millisecond})
	for _, part := range []string{"P", "POST /echo HTTP/1.1\r\nA: ", "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx"} {
		r := s.dial(t)
		r.send(part)
		if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%q: got %v", part, err)
		}
	}
}

// TestWhoPipelinesTooMuchDoesNotHoldTheServer, which can close at once.
func TestWhoPipelinesTooMuchDoesNotHoldTheServer(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	r := s.dial(t)
	r.send(strings.Repeat("POST /gate HTTP/1.1\r\nContent-Length: 3\r\n\r\n\"a\"", 65))
	for range 64 {
		<-s.entered
	}
	start := time.Now()
	if err := s.Close(); err != nil || time.Since(start) > 4*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// TestDrainLosesNoRequest: who keeps connections moves with the next request.
func TestDrainLosesNoRequest(t *testing.T) {
	w := &walker{current: newServer(t, rpc.Limits{}), done: make(chan struct{}, 1)}
	c := newClient(t)
	c.Transport.(*nethttp.Transport).DialContext = w.dial
	var all sync.WaitGroup
	defer all.Wait()
	quit := make(chan struct{})
	defer close(quit)
	for range 8 {
		all.Go(func() { w.walk(t, c, quit) })
	}
	for range 10 {
		w.wait(t)
		old := w.move(newServer(t, rpc.Limits{}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		left := make(chan error, 1)
		go func() { left <- old.Shutdown(ctx) }()
		w.wait(t)
		// A connection that no request uses any more is told nothing.
		eventually(t, "the old server is left", func() bool {
			c.CloseIdleConnections()
			return len(left) > 0
		})
		if err := <-left; err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// TestIdleConnectionDoesNotHoldAShutdown for long.
func TestIdleConnectionDoesNotHoldAShutdown(t *testing.T) {
	s := newServer(t, rpc.Limits{})
	c := newClient(t)
	defer c.CloseIdleConnections()
	resp, err := c.Post("http://"+s.address+"/add", "application/json", strings.NewReader("[1,2]"))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if err := s.Shutdown(ctx); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("it took %v: %v", time.Since(began), err)
	}
}

// walker asks one server after the other.
type walker struct {
	mu      sync.Mutex
	current *server
	done    chan struct{} // has a value when a request has been answered
}

func (w *walker) move(next *server) (old *server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, w.current = w.current, next
	return old
}

// dial waits until the server has the connection: the kernel resets those that a
// listener has not handed out when it closes.
func (w *walker) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, w.current.address)
	if err != nil {
		return nil, err
	}
	for {
		for _, s := range w.current.Sessions() {
			if s.RemoteAddr().String() == conn.LocalAddr().String() {
				return conn, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), conn.Close())
		case <-time.After(time.Millisecond):
		}
	}
}

func (w *walker) wait(t *testing.T) {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(10 * time.Second):
		t.Fatal("no request is answered")
	}
}

// walk asks with POST, which nobody repeats by himself.
func (w *walker) walk(t *testing.T, c *nethttp.Client, quit chan struct{}) {
	for {
		select {
		case <-quit:
			return
		default:
		}
		resp, err := c.Do(request(t, "POST", "http://any/sum", strings.NewReader("[1,2]")))
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != "3" {
			t.Errorf("got %d %q, %v", resp.StatusCode, body, err)
		}
		select {
		case w.done <- struct{}{}:
		default:
		}
	}
}
