package ctl_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/ctl"
	"github.com/dserver/dserver/internal/group"
)

func TestNobodyThereIsNotRunning(t *testing.T) {
	dead := socketPath(t)
	deadSocket(t, dead)
	for _, path := range []string{socketPath(t), dead, "/nowhere/ctl.sock"} {
		c, ctx := ctl.New(path), within(t)
		_, get := c.Info(ctx)
		_, post := c.Stop(ctx, ctl.ActionRequest{})
		_, stream := take(ctx, c, 0, 1)
		for _, err := range []error{get, post, stream} {
			if !errors.Is(err, ctl.ErrNotRunning) {
				t.Errorf("%s: %v", path, err)
			}
			call, ok := errors.AsType[*ctl.CallError](err)
			if !ok || call.Socket != path {
				t.Errorf("%s: no CallError: %v", path, err)
			}
		}
	}
}

func TestTheEndOfTheWaitIsATimeout(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	m.hold = make(chan struct{})
	defer close(m.hold)
	serve(t, listen(t, path), m, ctl.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := ctl.New(path).Reload(ctx, ctl.ReloadRequest{}); !errors.Is(err, ctl.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func TestASocketThatNobodyAcceptsOnIsATimeout(t *testing.T) {
	path := socketPath(t)
	listen(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	c := ctl.New(path)
	_, get := c.Info(ctx)
	_, stream := take(ctx, c, 0, 1)
	if !errors.Is(get, ctl.ErrTimeout) || !errors.Is(stream, ctl.ErrTimeout) {
		t.Errorf("got %v and %v", get, stream)
	}
}

func TestACancelledCallGivesItsCause(t *testing.T) {
	m, path := newMaster(), socketPath(t)
	m.hold = make(chan struct{})
	defer close(m.hold)
	serve(t, listen(t, path), m, ctl.Config{})
	ctx, cancel := context.WithCancelCause(within(t))
	g := group.New(t.Context(), nil)
	g.Go("reload", func(context.Context) {
		if _, err := ctl.New(path).Reload(ctx, ctl.ReloadRequest{}); !errors.Is(err, errEnough) {
			t.Errorf("got %v", err)
		}
	})
	<-m.entered
	cancel(errEnough)
	if err := g.Wait(within(t)); err != nil {
		t.Error(err)
	}
}

// answering serves raw bytes to everybody who asks; connections counts them.
func answering(t *testing.T, bytes string) *ctl.Client {
	t.Helper()
	path := socketPath(t)
	ln := listen(t, path)
	g := group.New(context.Background(), nil)
	g.Go("server", func(context.Context) {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.WriteString(conn, bytes)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		g.Wait(context.Background())
	})
	return ctl.New(path)
}

func TestStrangeAnswersAreErrors(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: "
	for _, tt := range []struct {
		name, answer string
		kind         error
		want         string
	}{
		{"nothing", "", ctl.ErrLost, ""},
		{"not HTTP", "hello\n", ctl.ErrLost, "malformed HTTP"},
		{"half an answer", ok + "100\r\n\r\n{", ctl.ErrLost, "unexpected EOF"},
		{"not JSON", ok + "5\r\n\r\nhello", nil, "cannot understand the answer: invalid character"},
		{"another type", ok + "2\r\n\r\n[]", nil, "cannot understand the answer: json: cannot unmarshal array"},
		{"an error without JSON", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", nil, "cannot understand the answer: HTTP status 502 Bad Gateway"},
		{"a redirection", "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", nil, "HTTP status 302 Found"},
		{"no such route", "HTTP/1.1 404 Not Found\r\nContent-Length: 33\r\n\r\n" + `{"error":"what","code":"no_route"}`[:33], nil, "404"},
		{"an older master", "HTTP/1.1 404 Not Found\r\nContent-Length: 34\r\n\r\n" + `{"error":"what","code":"no_route"}`, ctl.ErrTooOld, "what"},
		{"a code of the future", "HTTP/1.1 418 Teapot\r\nContent-Length: 33\r\n\r\n" + `{"error":"short","code":"teapot"}`, nil, "short"},
		{"new fields", ok + "27\r\n\r\n" + `{"name":"shop","shiny":[1]}`, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info, err := answering(t, tt.answer).Info(within(t))
			if tt.name == "new fields" {
				if err != nil || info.Name != "shop" {
					t.Errorf("%+v, %v", info, err)
				}
				return
			}
			if err == nil || (tt.kind != nil && !errors.Is(err, tt.kind)) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStrangeStreamsAreErrors(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n\r\n"
	for _, tt := range []struct{ name, answer, want string }{
		{"not JSON", ok + "hello\n", "cannot understand a line of the stream"},
		{"an endless line", ok + strings.Repeat("x", 2<<20), "cannot read a line of more than 1048576 bytes"},
		{"a problem", ok + `{"error":"cannot go on","code":"busy"}` + "\n", "cannot go on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := take(within(t), answering(t, tt.answer), 0, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestALogThatBreaksOffIsNotTakenForItsEnd(t *testing.T) {
	c := answering(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
	err := c.Logs(within(t), ctl.LogQuery{Lines: 1}, func(ctl.LogLine) error { return nil })
	if !errors.Is(err, ctl.ErrLost) {
		t.Errorf("got %v", err)
	}
}

// TestAMasterThatStopsWhileOneWaitsIsNotRunning closes a socket that somebody
// waits at, which the kernel answers with a reset.
func TestAMasterThatStopsWhileOneWaitsIsNotRunning(t *testing.T) {
	path := socketPath(t)
	ln := listen(t, path)
	g := group.New(t.Context(), nil)
	c, ctx := ctl.New(path), within(t)
	asked := make(chan struct{})
	g.Go("asker", func(context.Context) {
		close(asked)
		if _, err := c.Info(ctx); !errors.Is(err, ctl.ErrNotRunning) {
			t.Errorf("got %v", err)
		}
	})
	<-asked
	// Whether the question is in the queue by now or comes too late: the answer
	// has to be the same.
	ln.Close()
	if err := g.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func BenchmarkInfo(b *testing.B) {
	path := socketPath(b)
	serve(b, listen(b, path), newMaster(), ctl.Config{})
	c, ctx := ctl.New(path), context.Background()
	for b.Loop() {
		if _, err := c.Info(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
