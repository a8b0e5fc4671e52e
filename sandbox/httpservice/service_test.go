package httpservice_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/sandbox"
	"github.com/dserver/dserver/sandbox/httpservice"
	"github.com/dserver/dserver/sandbox/internal/httpload"
	"github.com/dserver/dserver/sandbox/sandboxtest"
)

func get(t *testing.T, b *sandboxtest.Sandbox, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
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

func TestHandlersThatOutlastTheDeadlineAreCutAndNamed(t *testing.T) {
	b := sandboxtest.Run(t, httpservice.New("web", httpload.Handler()), sandboxtest.Options{})
	const n = 3
	for range n {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /sleep?ms=20000 HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	get(t, b, "/") // accepted after the others, so these are being served
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	r := b.Drain(ctx)
	if d := time.Since(began); d > 2500*time.Millisecond {
		t.Errorf("took %v", d)
	}
	if len(r.Cut) != n || len(r.Stuck) > 0 || !strings.HasPrefix(r.Cut[0], "web: GET /sleep from 127.0.0.1:") {
		t.Errorf("%q, %q", r.Cut, r.Stuck)
	}
}

func TestHandlerThatNeverReturnsMakesTheSandboxStuck(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	b, err := sandboxtest.Start(t.Context(), httpservice.New("web", http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { close(entered); <-release })), sandboxtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /hang HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	r := b.Drain(ctx)
	if !slices.Equal(r.Stuck, []string{"web: Serve"}) || len(r.Cut) != 1 || b.Status().State != sandbox.Stuck {
		t.Errorf("%q, %q, %s", r.Cut, r.Stuck, b.Status().State)
	}
	close(release)
	if err := b.Close(t.Context()); err != nil && !strings.Contains(err.Error(), "cut") {
		t.Error(err)
	}
}

func TestRestartKeepsTheAddress(t *testing.T) {
	made := 0
	s := httpservice.NewFunc("web", func(box *sandbox.Box) (http.Handler, error) {
		var config struct{ Greeting string }
		made++
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "%s %d", config.Greeting, made)
		}), box.Config(&config)
	})
	b := sandboxtest.Run(t, s, sandboxtest.Options{Config: map[string]any{"greeting": "hello"}})
	address := b.Addr()
	if got := get(t, b, "/"); got != "200 hello 1" {
		t.Errorf("got %s", got)
	}
	if _, err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, b, "/"); got != "200 hello 2" || b.Addr() != address {
		t.Errorf("got %s at %s, was at %s", got, b.Addr(), address)
	}
}

func TestStartErrors(t *testing.T) {
	for want, s := range map[string]sandbox.Service{
		"declares no socket": httpservice.New("web", httpload.Handler()),
		"no templates": httpservice.NewFunc("web", func(*sandbox.Box) (http.Handler, error) {
			return nil, fmt.Errorf("no templates")
		}),
	} {
		listen := []sandbox.Listen{{Network: "tcp", Address: "127.0.0.1:0"}}
		if want == "declares no socket" {
			listen = []sandbox.Listen{}
		}
		_, err := sandboxtest.Start(t.Context(), s, sandboxtest.Options{Listen: listen})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestPanicInAHandlerFailsThatRequestAlone(t *testing.T) {
	b := sandboxtest.Run(t, httpservice.New("web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/boom" {
			panic("boom")
		}
	})), sandboxtest.Options{})
	if got := get(t, b, "/boom"); got != "500 Internal Server Error" {
		t.Errorf("got %s", got)
	}
	if got := get(t, b, "/"); got != "200" && got != "200 " {
		t.Errorf("got %q", got)
	}
	if s := b.Status(); s.State != sandbox.Ready {
		t.Errorf("the sandbox is %s", s.State)
	}
}

func TestSlowHeaderIsRefused(t *testing.T) {
	b := sandboxtest.Run(t, httpservice.New("web", httpload.Handler(),
		httpservice.ReadHeaderTimeout(100*time.Millisecond), httpservice.MaxHeaderBytes(1000)), sandboxtest.Options{})
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
}
