package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/internal/group"
)

// serve answers each connection by a script: one function for each request, which
// tells whether the connection stays.
func serve(t *testing.T, script ...func(conn net.Conn, r *http.Request) (stays bool)) *browser {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := group.New(context.Background(), nil)
	server.Go("accept", func(context.Context) {
		for len(script) > 0 {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			for stays := true; stays && len(script) > 0; script = script[1:] {
				r, err := http.ReadRequest(in)
				if err != nil {
					break
				}
				stays = script[0](conn, r)
			}
			_ = conn.Close() // the client sees it
		}
	})
	b := &browser{network: "tcp", address: ln.Addr().String(), keep: true, method: "POST", path: "/echo"}
	t.Cleanup(func() {
		b.close()
		_ = ln.Close() // ends Accept
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func answer(status, header string, body func(r *http.Request) string, stays bool) func(net.Conn, *http.Request) bool {
	return func(conn net.Conn, r *http.Request) bool {
		text := body(r)
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nX-Build: test\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(text), text)
		return stays
	}
}

func echo(r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestBrowserCountsWhatAFriendlyClientHides(t *testing.T) {
	wrong := func(*http.Request) string { return "something else" }
	good := answer("200 OK", "", echo, true)
	for _, c := range []struct {
		name   string
		second func(net.Conn, *http.Request) bool
		fails  string // "" if the second request is answered as it should be
	}{
		{"kept", good, ""},
		{"the connection ends without an answer", func(net.Conn, *http.Request) bool { return false }, "cannot read the answer"},
		{"the answer ends early", func(conn net.Conn, _ *http.Request) bool {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			return false
		}, "cannot read the body"},
		{"an error", answer("503 Service Unavailable", "", echo, true), "503"},
		{"another body", answer("200 OK", "", wrong, true), "got back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := serve(t, good, c.second)
			if err := b.do(); err != nil {
				t.Fatal(err)
			}
			err := b.do()
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
		})
	}
}

// Only an answer that says so lets a client take another connection.
func TestBrowserDialsAgainWhenTold(t *testing.T) {
	told := serve(t, answer("200 OK", "Connection: close\r\n", echo, false), answer("200 OK", "", echo, true))
	untold := serve(t, answer("200 OK", "", echo, false), answer("200 OK", "", echo, true))
	for i := range 2 {
		if err := told.do(); err != nil {
			t.Errorf("told, request %d: %v", i+1, err)
		}
	}
	if err := untold.do(); err != nil {
		t.Fatal(err)
	}
	if err := untold.do(); err == nil {
		t.Error("not told: the request on a connection that the server has closed did not fail")
	}
}

func TestReportSplitsAtTheWindows(t *testing.T) {
	reload := time.Now()
	l := &Load{moments: []time.Time{reload}, results: []record{{class: "x"}}}
	for ms := -1000; ms <= 1000; ms += 10 {
		took := time.Millisecond
		if ms > -250 && ms < 250 {
			took = 20 * time.Millisecond
		}
		begin := reload.Add(time.Duration(ms) * time.Millisecond)
		l.record(0, begin, begin.Add(took), nil)
	}
	l.record(0, reload.Add(30*time.Millisecond), reload.Add(40*time.Millisecond), io.EOF)
	r := l.report()
	if c := r.Classes[0]; c.Requests != 202 || c.Failed != 1 || c.Inside != 20*time.Millisecond || c.Outside != time.Millisecond {
		t.Errorf("got %+v", c)
	}
	if got := r.Losses(); !strings.Contains(got, "30ms from the commit of reload 1") || !strings.Contains(got, "EOF") {
		t.Errorf("got %q", got)
	}
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := 200; i > 0; i-- {
		all = append(all, time.Duration(i))
	}
	if got := percentile99(all); got != 198 {
		t.Errorf("of 1 to 200: %d", got)
	}
	if got := percentile99(all[:1]); got != all[0] {
		t.Errorf("of one: %d", got)
	}
	if got := percentile99(nil); got != 0 {
		t.Errorf("of none: %d", got)
	}
}
