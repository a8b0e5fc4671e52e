package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// start makes an endpoint that speaks lines, and one that serves; both are closed at
// the end of the test.
func start(t *testing.T) (client, server *rpc.Endpoint, address string) {
	t.Helper()
	c := rpc.Config{Proto: NewLines, Logger: slog.New(slog.DiscardHandler)}
	c.Limits.Message = 1 << 16
	server, err := rpc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := server.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	if client, err = rpc.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-served
	})
	return client, server, "tcp://" + ln.Addr().String()
}

func handle[Req, Res any](t *testing.T, e *rpc.Endpoint, method string, f func(rpc.Context, Req) (Res, error)) {
	t.Helper()
	if err := rpc.Handle(e, method, f); err != nil {
		t.Fatal(err)
	}
}

func TestAllOfAMessageTravels(t *testing.T) {
	client, server, address := start(t)
	handle(t, server, "/echo", func(ctx rpc.Context, text string) (string, error) {
		ctx.SetMeta("got", ctx.Meta("sent"))
		return text, nil
	})
	handle(t, server, "/fail", func(rpc.Context, any) (any, error) {
		return nil, &status.Status{Code: 1001, Msg: "tab\t", Cause: "line\n", Details: json.RawMessage("{\n\t\"id\": 7\n}")}
	})
	c := client.Client(address)
	for _, text := range []string{"", "hello", "a\tb\nc\r\n\"\\", "中文 \u2028", strings.Repeat("x", 1<<14)} {
		var got string
		var meta message.Meta
		err := c.Call(t.Context(), "/echo", text, &got, rpc.WithMeta("sent", text), rpc.WithReplyMeta(&meta))
		if err != nil || got != text || meta.Value("got") != text {
			t.Errorf("%.20q: got %.20q, %.20q, %v", text, got, meta.Value("got"), err)
		}
	}
	st, _ := status.From(c.Call(t.Context(), "/fail", nil, nil))
	if st == nil || st.Code != 1001 || st.Msg != "tab\t" || st.Cause != "line\n" || string(st.Details) != `{  "id": 7 }` {
		t.Errorf("got %+v", st)
	}
	if err := c.Call(t.Context(), "/none", nil, nil); status.CodeOf(err) != status.NotFound {
		t.Errorf("got %v", err)
	}
}

// TestWhatALineCannotCarryFailsAlone: the session goes on.
func TestWhatALineCannotCarryFailsAlone(t *testing.T) {
	client, server, address := start(t)
	handle(t, server, "/echo", func(_ rpc.Context, text string) (string, error) { return text, nil })
	handle(t, server, "/bytes", func(rpc.Context, any) ([]byte, error) { return []byte("two\nlines"), nil })
	s, err := client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"filter": s.Call(t.Context(), "/echo", "x", nil, rpc.WithFilters('z')),
		"method": s.Call(t.Context(), "/a\tb", "x", nil),
		"bytes":  s.Call(t.Context(), "/echo", []byte("two\nlines"), nil),
		"size":   s.Call(t.Context(), "/echo", strings.Repeat("x", 1<<16), nil),
	} {
		if status.CodeOf(err) != status.WriteFailed {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := s.Call(t.Context(), "/bytes", nil, nil); status.CodeOf(err) != status.InternalServerError {
		t.Errorf("a result that cannot be written: %v", err)
	}
	if err := s.Call(t.Context(), "/echo", "x", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestDeadlineAndDrain: what the endpoint adds travels like everything else.
func TestDeadlineAndDrain(t *testing.T) {
	client, server, address := start(t)
	ended := make(chan error, 1)
	handle(t, server, "/wait", func(ctx rpc.Context, _ any) (any, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	s, err := client.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Call(ctx, "/wait", nil, nil); status.CodeOf(err) != status.HandleTimeout {
		t.Errorf("got %v", err)
	}
	if err := <-ended; err != context.DeadlineExceeded {
		t.Errorf("the handler was told %v", err)
	}
	server.Drain()
	select {
	case <-s.GoingAway():
	case <-time.After(10 * time.Second):
		t.Error("the client is not told to go elsewhere")
	}
}

// TestProgramSpeaksLines lives through what docs/wire.md shows, on its own port.
func TestProgramSpeaksLines(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serve(ctx, "tcp://127.0.0.1:0", in) }()
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSpace(said), "listening on "))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	lines := bufio.NewReader(conn)
	ask := func(line, want string) {
		t.Helper()
		fmt.Fprintf(conn, "%s\n", line)
		if got, err := lines.ReadString('\n'); got != want+"\n" {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	ask("1\t1\t/math/add\t\t{}\t[1,2,3]", "2\t1\t\t\t{}\t6")
	ask("1\t2\t/none\t\t{}\t", "2\t2\t\t{\"code\":404,\"msg\":\"Not Found\",\"cause\":\"\"}\t{}\t")
	ask("1\t3\t/math/add\tnull\t\t[]", "2\t3\t\t\t{}\t0")
	stop()
	if goaway, err := lines.ReadString('\n'); !strings.HasPrefix(goaway, "3\t1\t/_goaway\t\t{\"deadline_ms\":\"") {
		t.Errorf("got %q, %v", goaway, err)
	}
	conn.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBadLinesEndTheSession(t *testing.T) {
	_, _, address := start(t)
	for _, line := range []string{
		"hello", "1\t1\t/a\t\t{}", "1\t1\t/a\t\t{}\t\t", "x\t1\t/a\t\t{}\t", "1\t2147483648\t/a\t\t{}\t", "256\t1\t/a\t\t{}\t",
		"1\t1\t/a\t[]\t{}\t", "1\t1\t/a\t\t[]\t", "4\t1\t\t\t{}\t", strings.Repeat("x", 1<<18),
		"1\t1\t/a\t\t{\"a\":\"" + strings.Repeat("x", 65<<10) + "\"}\t",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(conn, "%s\n", line)
		answer, err := io.ReadAll(conn)
		if timeout, ok := err.(net.Error); len(answer) > 0 || ok && timeout.Timeout() {
			t.Errorf("%.40q: answered %q, %v", line, answer, err)
		}
		conn.Close()
	}
}
