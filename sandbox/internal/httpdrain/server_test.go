package httpdrain_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/sandbox/internal/httpdrain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an http.Server on pipes, so that time can be virtual.
type server struct {
	t       *testing.T
	tracker *httpdrain.Tracker
	pipes   *pipes
	began   time.Time // of the drain
	cut     []string
	done    chan struct{} // closed when Wait has returned
	quit    context.CancelFunc
}

func serve(t *testing.T, c httpdrain.Config, h http.HandlerFunc) *server {
	s := &server{
		t: t, tracker: httpdrain.New(c), done: make(chan struct{}),
		pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	hs := &http.Server{Handler: s.tracker.Handler(h)}
	go func() { _ = hs.Serve(s.tracker.Listener(s.pipes)) }() // ends with the bubble: drain closes pipes
	return s
}

// drain begins the drain and waits in the background.
func (s *server) drain() {
	var ctx context.Context
	ctx, s.quit = context.WithCancel(context.Background())
	_ = s.pipes.Close()
	s.began = time.Now()
	s.tracker.Drain()
	go func() {
		defer close(s.done)
		s.tracker.Wait(ctx, func(what string) { s.cut = append(s.cut, what) })
	}()
	synctest.Wait()
}

// gone waits for the end of the drain and tells how long it took.
func (s *server) gone() time.Duration {
	<-s.done
	s.quit()
	return time.Since(s.began)
}

type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (s *server) dial() *peer {
	ours, theirs := net.Pipe()
	s.pipes.conns <- theirs
	s.t.Cleanup(func() { _ = ours.Close() })
	return &peer{s.t, ours, bufio.NewReader(ours)}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Errorf("cannot send: %v", err)
	}
}

func (p *peer) get(path string) { p.t.Helper(); p.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n") }

// answer reads a response and tells its status, body, and whether the server will
// close.
func (p *peer) answer() string {
	p.t.Helper()
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(res.Body)
	text := fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
	if err != nil {
		text += " " + err.Error()
	}
	if res.Close {
		text += " close"
	}
	return text
}

func (p *peer) expect(want string) {
	p.t.Helper()
	if got := p.answer(); got != want {
		p.t.Errorf("got %q, want %q", got, want)
	}
}

func ok(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }
