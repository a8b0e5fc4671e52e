package gfservice_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gogf/gf/v2/net/ghttp"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/gfservice"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

func get(t *testing.T, b *sandboxtest.Sandbox, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	res, err := client.Get("http://" + b.Addr() + path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

func start(t *testing.T, setup func(*ghttp.Server) error, o sandboxtest.Options) *sandboxtest.Sandbox {
	t.Helper()
	b, err := sandboxtest.Start(t.Context(), gfservice.New("web", setup), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestRestartMakesAFreshServer(t *testing.T) {
	var servers []*ghttp.Server
	b := start(t, func(s *ghttp.Server) error {
		servers = append(servers, s)
		n := len(servers)
		s.BindHandler("/", func(r *ghttp.Request) { r.Response.Writef("%s %d", r.Server.GetName(), n) })
		return nil
	}, sandboxtest.Options{})
	if got := get(t, b, "/"); got != "200 web 1" {
		t.Errorf("got %s", got)
	}
	for range 3 {
		if _, err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, b, "/"); got != "200 web 4" || servers[0] == servers[3] {
		t.Errorf("got %s", got)
	}
}

func TestSessionsOutliveAGeneration(t *testing.T) {
	setup := func(s *ghttp.Server) error {
		s.SetSessionStorage(nil) // the default, files; below a folder of the test
		s.BindHandler("/set", func(r *ghttp.Request) { r.Session.MustSet("user", "ann") })
		s.BindHandler("/get", func(r *ghttp.Request) { r.Response.Write(r.Session.MustGet("user")) })
		return nil
	}
	b := start(t, setup, sandboxtest.Options{})
	res, err := http.Get("http://" + b.Addr() + "/set")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if _, err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("GET", "http://"+b.Addr()+"/get", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		req.AddCookie(c)
	}
	res, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "ann" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestFailedStarts(t *testing.T) {
	badCert := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(badCert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		setup func(*ghttp.Server) error
		want  string
	}{
		"error":           {func(*ghttp.Server) error { return io.ErrUnexpectedEOF }, "unexpected EOF"},
		"panic":           {func(*ghttp.Server) error { panic("boom") }, "panic: boom"},
		"fatal":           {func(s *ghttp.Server) error { s.Logger().Fatal(context.Background(), "no way"); return nil }, "goframe gave up: no way"},
		"missing cert":    {func(s *ghttp.Server) error { s.EnableHTTPS("/nowhere/c", "/nowhere/k"); return routes(s) }, "goframe gave up: EnableHTTPS failed"},
		"bad cert":        {func(s *ghttp.Server) error { s.EnableHTTPS(badCert, badCert); return routes(s) }, "goframe gave up: open certFile"},
		"duplicate route": {func(s *ghttp.Server) error { _ = routes(s); return routes(s) }, "goframe gave up"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sandboxtest.Start(t.Context(), gfservice.New("web", c.setup), sandboxtest.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "stuck") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestFatalInAHandlerFailsTheSandboxAlone(t *testing.T) {
	b, err := sandboxtest.Start(t.Context(), gfservice.New("web", func(s *ghttp.Server) error {
		s.BindHandler("/die", func(r *ghttp.Request) { r.Server.Logger().Fatal(r.Context(), "disk full") })
		return nil
	}), sandboxtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /die HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("got %q", answer)
	}
	deadline := time.Now().Add(10 * time.Second)
	for b.Status().State != sandbox.Failed && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if s := b.Status(); s.State != sandbox.Failed || !strings.Contains(s.Error, "disk full") {
		t.Errorf("%+v", s)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPanicInAHandlerIsAnsweredAndLogged(t *testing.T) {
	var log lines
	b := start(t, func(s *ghttp.Server) error {
		s.BindHandler("/boom", func(*ghttp.Request) { panic("boom at noon") })
		return nil
	}, sandboxtest.Options{Logger: log.logger(slog.LevelInfo)})
	if got := get(t, b, "/boom"); !strings.HasPrefix(got, "500") {
		t.Errorf("got %s", got)
	}
	if s := log.String(); !strings.Contains(s, "boom at noon") || !strings.Contains(s, "level=ERROR") {
		t.Errorf("log: %s", s)
	}
}

func TestSlowHeaderIsRefused(t *testing.T) {
	b, err := sandboxtest.Start(t.Context(), gfservice.New("web", routes, gfservice.ReadHeaderTimeout(100*time.Millisecond)), sandboxtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost:"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("not closed: %v", err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
