//go:build linux

package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dserver/dserver/host/probe"
	"github.com/dserver/dserver/internal/loopback"
)

func prober(t testing.TB, c probe.Check) probe.Prober {
	t.Helper()
	p, err := probe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsNoCheck(t *testing.T) {
	long := "/" + strings.Repeat("x", 107)
	for _, c := range []struct {
		check probe.Check
		want  string
	}{
		{probe.Check{}, "kind must be tcp, unix, http or exec"},
		{probe.Check{Kind: "log"}, "cannot probe by log: the kind must be"},
		{probe.Check{Kind: probe.TCP}, "HOST:PORT"},
		{probe.Check{Kind: probe.TCP, Address: "localhost"}, "missing port"},
		{probe.Check{Kind: probe.TCP, Address: ":80"}, `not ":80"`},
		{probe.Check{Kind: probe.TCP, Address: "a:0"}, `not "a:0"`},
		{probe.Check{Kind: probe.TCP, Address: "a:65536"}, `not "a:65536"`},
		{probe.Check{Kind: probe.TCP, Address: "a:http"}, `not "a:http"`},
		{probe.Check{Kind: probe.Unix, Address: "relative"}, "absolute"},
		{probe.Check{Kind: probe.Unix, Address: long}, "at most 107 bytes"},
		{probe.Check{Kind: probe.Unix, Address: "/a\x00b"}, "absolute"},
		{probe.Check{Kind: probe.HTTP}, "http://HOST:PORT/PATH"},
		{probe.Check{Kind: probe.HTTP, Address: "localhost:80"}, "http://HOST"},
		{probe.Check{Kind: probe.HTTP, Address: "ftp://localhost/"}, "http://HOST"},
		{probe.Check{Kind: probe.HTTP, Address: "http:///path"}, "http://HOST"},
		{probe.Check{Kind: probe.HTTP, Address: "http://a:b:c/"}, "invalid port"},
		{probe.Check{Kind: probe.HTTP, Address: "http://unix:relative:/"}, "absolute"},
		{probe.Check{Kind: probe.HTTP, Address: "http://unix:" + long + ":/"}, "at most 107"},
		{probe.Check{Kind: probe.Exec}, "no command"},
		{probe.Check{Kind: probe.Exec, Command: []string{""}}, "no command"},
		{probe.Check{Kind: probe.Exec, Command: []string{"/nowhere/at/all"}}, "no such file"},
		{probe.Check{Kind: probe.Exec, Command: []string{"no-such-command-here"}}, "not found"},
		{probe.Check{Kind: probe.Exec, Command: []string{"sh", "a\x00b"}}, "zero byte"},
	} {
		if _, err := probe.New(c.check); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.check, err, c.want)
		}
	}
}

func TestConnectionIsAnAnswer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := loopback.Free(t)
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		p := prober(t, probe.Check{Kind: probe.Kind(network), Address: address})
		if err := p.Ask(t.Context()); err != nil {
			t.Error(err)
		}
		l.Close()
		want := fmt.Sprintf("cannot connect to %s %s: connection refused", network, address)
		if network == "unix" {
			want = fmt.Sprintf("cannot connect to unix %s: no such file or directory", address)
		}
		if err := p.Ask(t.Context()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestConnectionThatIsNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// With a full queue whoever comes has to wait.
	full, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p := prober(t, probe.Check{Kind: probe.Unix, Address: path, Timeout: 50 * time.Millisecond})
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for full.Err() == nil {
		dialer := net.Dialer{Timeout: time.Second} // longer than any but a full queue takes
		c, err := dialer.Dial("unix", path)
		if err != nil {
			break
		}
		held = append(held, c)
	}
	if err := p.Ask(t.Context()); err == nil || err.Error() != "cannot connect to unix "+path+": no answer within 50ms" &&
		// Linux tells a client that does not block at once.
		err.Error() != "cannot connect to unix "+path+": its queue of connections is full" {
		t.Errorf("got %v", err)
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the program is gone")
	cancel(why)
	for _, c := range []probe.Check{
		{Kind: probe.TCP, Address: "127.0.0.1:1"},
		{Kind: probe.HTTP, Address: "http://127.0.0.1:1/"},
		{Kind: probe.Exec, Command: []string{"sleep", "1000"}},
	} {
		if err := prober(t, c).Ask(ctx); !errors.Is(err, why) {
			t.Errorf("%s: got %v", c.Kind, err)
		}
	}
}

func TestStatusIsTheAnswer(t *testing.T) {
	var visits atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { visits.Add(1) }))
	defer elsewhere.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(code)
		if r.Method != http.MethodGet || r.Header.Get("User-Agent") != "dserver-probe" {
			t.Errorf("asked by %s as %s", r.Method, r.Header.Get("User-Agent"))
		}
	}))
	defer s.Close()
	for code, want := range map[int]string{
		200: "", 204: "", 299: "", 301: "", 302: "", 307: "", 399: "",
		400: "400 Bad Request", 404: "404 Not Found", 500: "500 Internal", 503: "503 Service Unavailable", 599: "599",
	} {
		address := fmt.Sprintf("%s/%d", s.URL, code)
		err := prober(t, probe.Check{Kind: probe.HTTP, Address: address}).Ask(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), address+" answers "+want)) {
			t.Errorf("%d: got %v", code, err)
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("redirects were followed %d times", n)
	}
}

func TestAnswersThatDoNotEnd(t *testing.T) {
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		case "/slow":
			w.Write([]byte("well,"))
			w.(http.Flusher).Flush()
		case "/headers":
			for i := range 3000 {
				w.Header().Add("X-Long", fmt.Sprint(i, strings.Repeat("x", 100)))
			}
			return
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(over)
	for path, want := range map[string]string{
		"/endless": "",
		"/mute":    "cannot get " + s.URL + "/mute: no answer within 100ms",
		"/slow":    "cannot read the answer of " + s.URL + "/slow: no answer within 100ms",
	} {
		err := prober(t, probe.Check{Kind: probe.HTTP, Address: s.URL + path, Timeout: 100 * time.Millisecond}).Ask(t.Context())
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if err := prober(t, probe.Check{Kind: probe.HTTP, Address: s.URL + "/headers"}).Ask(t.Context()); err == nil || !strings.Contains(err.Error(), "its headers have more than 65536 bytes") {
		t.Errorf("endless headers: %v", err)
	}
}

func TestServersThatAreNoWebServers(t *testing.T) {
	for _, answer := range []string{"", "\x00\xff\xfe", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, answer)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}()
		if err := prober(t, probe.Check{Kind: probe.HTTP, Address: "http://" + l.Addr().String() + "/"}).Ask(t.Context()); err == nil {
			t.Errorf("%q is taken for an answer", answer)
		}
		l.Close()
		<-served
	}
}

func TestWebServersElsewhere(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() == "/health?deep=1" {
			return
		}
		http.NotFound(w, r)
	})
	secure := httptest.NewUnstartedServer(hello)
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS() // with a certificate that nobody trusts
	defer secure.Close()
	path := filepath.Join(t.TempDir(), "web.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: l, Config: &http.Server{Handler: hello}}
	local.Start()
	defer local.Close()
	for address, well := range map[string]bool{
		secure.URL + "/health?deep=1":              true,
		secure.URL + "/":                           false,
		"http://unix:" + path + ":/health?deep=1":  true,
		"http://unix:" + path:                      false,
		"http://unix:" + path + "x:/health?deep=1": false,
	} {
		if err := prober(t, probe.Check{Kind: probe.HTTP, Address: address}).Ask(t.Context()); (err == nil) != well {
			t.Errorf("%s: %v", address, err)
		}
	}
	os.Remove(path)
}
