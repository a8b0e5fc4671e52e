package jsonrpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/rpctest"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/status"
)

// newEndpoint speaks JSON-RPC and closes at the end of the test.
func newEndpoint(t *testing.T, c rpc.Config) *rpc.Endpoint {
	t.Helper()
	if c.Proto == nil {
		c.Proto = jsonrpc.New
	}
	return rpctest.Endpoint(t, c)
}

// newServer has the methods that the examples of the specification call, and a channel
// of what came as notifications.
func newServer(t *testing.T) (e *rpc.Endpoint, notes chan string) {
	e, notes = newEndpoint(t, rpc.Config{}), make(chan string, 100)
	rpctest.Handle(t, e, "subtract", func(_ rpc.Context, params json.RawMessage) (int, error) {
		var list []int
		if err := json.Unmarshal(params, &list); err == nil && len(list) == 2 {
			return list[0] - list[1], nil
		}
		var named struct{ Minuend, Subtrahend int }
		if err := json.Unmarshal(params, &named); err != nil {
			return 0, status.New(status.BadMessage, "two numbers are wanted")
		}
		return named.Minuend - named.Subtrahend, nil
	})
	rpctest.Handle(t, e, "sum", func(_ rpc.Context, list []int) (sum int, _ error) {
		for _, n := range list {
			sum += n
		}
		return sum, nil
	})
	rpctest.Handle(t, e, "get_data", func(rpc.Context, any) ([]any, error) { return []any{"hello", 5}, nil })
	rpctest.Handle(t, e, "fail", func(_ rpc.Context, codes [1]status.Code) (any, error) {
		return nil, status.New(codes[0], "as asked")
	})
	for _, method := range []string{"update", "notify_hello", "notify_sum"} {
		rpctest.HandlePush(t, e, method, func(ctx rpc.Context, params json.RawMessage) error {
			notes <- ctx.Method() + string(params)
			return nil
		})
	}
	return e, notes
}

// lineClient is a peer that knows nothing of us.
type lineClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialLines(t *testing.T, address string) *lineClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &lineClient{t, conn, bufio.NewReader(conn)}
}

func (c *lineClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *lineClient) receive() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\r\n")
}

func (c *lineClient) ask(text string) string {
	c.t.Helper()
	c.send(text)
	return c.receive()
}

// withoutData takes out what the specification leaves to the server.
func withoutData(t *testing.T, line string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		object, _ := one.(map[string]any)
		failure, _ := object["error"].(map[string]any)
		delete(failure, "data")
	}
	return v
}

// TestErrorsOfARealEndpoint as a plain peer sees them, and one of older ones.
func TestErrorsOfARealEndpoint(t *testing.T) {
	e, _ := newServer(t)
	c := dialLines(t, rpctest.OnLoopback(t, e))
	for request, answer := range map[string]string{
		`"method":"none","id":1`:                 `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found","data":{"code":404,"cause":""}},"id":1}`,
		`"method":"","id":1`:                     `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found","data":{"code":400,"cause":"invalid service method for message"}},"id":1}`,
		`"method":"fail","params":[1001],"id":1`: `{"jsonrpc":"2.0","error":{"code":1001,"message":"code 1001","data":{"code":1001,"cause":"as asked"}},"id":1}`,
		`"method":"fail","params":[409],"id":""`: `{"jsonrpc":"2.0","error":{"code":409,"message":"Conflict","data":{"code":409,"cause":"as asked"}},"id":""}`,
		`"method":"none","id":1,"context":{}`:    `{"jsonrpc":"2.0","id":1,"context":{},"error":{"code":404,"message":"Not Found","data":null}}`,
	} {
		want(t, c.ask(`{"jsonrpc":"2.0",`+request+`}`), answer)
	}
	for request, start := range map[string]string{
		`"method":"sum","params":"x","id":1`:              `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params","data":{"code":400,"cause":"incident `,
		`"method":"sum","params":"x","id":1,"context":{}`: `{"jsonrpc":"2.0","id":1,"context":{},"error":{"code":400,"message":"Bad Message","data":null,"cause":"incident `,
	} {
		if got := c.ask(`{"jsonrpc":"2.0",` + request + `}`); !strings.HasPrefix(got, start) {
			t.Errorf("got %s", got)
		}
	}
}

// TestLineOverTheLimitOfAnEndpoint is answered before the session ends.
func TestLineOverTheLimitOfAnEndpoint(t *testing.T) {
	e := newEndpoint(t, rpc.Config{Limits: rpc.Limits{Message: 10_000}})
	c := dialLines(t, rpctest.OnLoopback(t, e))
	c.send(strings.Repeat("x", 9_000))
	if got := c.receive(); !strings.Contains(got, `"code":-32700`) {
		t.Errorf("got %s", got)
	}
	c.send(strings.Repeat("x", 20_000))
	if got := c.receive(); !strings.Contains(got, `"code":-32600`) || !strings.Contains(got, "more than 10000 bytes") {
		t.Errorf("got %s", got)
	}
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v", rest, err)
	}
	if n := e.Stats().BadFrames; n != 1 {
		t.Errorf("%d bad frames", n)
	}
}

// TestTwoSessionsUseTheSameIDs at once, and each peer gets its own answers.
func TestTwoSessionsUseTheSameIDs(t *testing.T) {
	e := newEndpoint(t, rpc.Config{})
	entered, open := make(chan struct{}, 4), make(chan struct{})
	rpctest.Handle(t, e, "wait", func(_ rpc.Context, s string) (string, error) {
		entered <- struct{}{}
		<-open
		return s, nil
	})
	address := rpctest.OnLoopback(t, e)
	clients := map[string]*lineClient{"first": dialLines(t, address), "second": dialLines(t, address)}
	for name, c := range clients {
		c.send(`{"jsonrpc":"2.0","method":"wait","params":"` + name + `","id":"x"}`)
		c.send(`{"jsonrpc":"2.0","method":"wait","params":"` + name + `","id":1}`)
	}
	for range 4 {
		<-entered
	}
	close(open)
	for name, c := range clients {
		got := map[string]bool{c.receive(): true, c.receive(): true}
		for _, id := range []string{`"x"`, `1`} {
			if line := `{"jsonrpc":"2.0","result":"` + name + `","id":` + id + `}`; !got[line] {
				t.Errorf("%s: got %v, want %s", name, got, line)
			}
		}
	}
}

func TestEndpointToEndpoint(t *testing.T) {
	server, notes := newServer(t)
	full, err := status.New(1001, "none left").WithRetry().WithDetails([]int{1})
	if err != nil {
		t.Fatal(err)
	}
	rpctest.Handle(t, server, "full", func(ctx rpc.Context, _ any) (any, error) {
		ctx.SetMeta("answer", ctx.Meta("question"))
		return nil, full
	})
	client := newEndpoint(t, rpc.Config{})
	s := rpctest.Dial(t, client, rpctest.OnLoopback(t, server))
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			var sum int
			if err := s.Call(t.Context(), "sum", []int{i, 1}, &sum); err != nil || sum != i+1 {
				t.Errorf("got %d, %v", sum, err)
			}
		})
	}
	all.Wait()
	if code := status.CodeOf(s.Push(t.Context(), "update", 1)); code != status.WriteFailed {
		t.Errorf("a PUSH to who is not known to take it: %d", code)
	}
	if code := status.CodeOf(s.Call(t.Context(), "none", nil, nil)); code != status.NotFound {
		t.Errorf("got %d", code)
	}
	var meta message.Meta
	err = s.Call(t.Context(), "full", nil, nil, rpc.WithMeta("question", "é<"), rpc.WithReplyMeta(&meta))
	st, _ := status.From(err)
	if st == nil || st.Code != 1001 || st.Cause != "none left" || !st.Retry || string(st.Details) != "[1]" || meta.Value("answer") != "é<" {
		t.Errorf("got %v, %v", err, meta)
	}
	// Now it is known.
	if err := s.Push(t.Context(), "update", 1); err != nil {
		t.Error(err)
	}
	want(t, rpctest.Receive(t, "a notification", notes), "update1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("an idle session keeps its server: %v", err)
	}
}

// TestClassicAndDefaultUnderstandEachOther over the endpoint, both ways.
func TestClassicAndDefaultUnderstandEachOther(t *testing.T) {
	older := jsonrpc.Options{Classic: true}.New
	for _, c := range []struct{ server, client rpc.Config }{
		{rpc.Config{Proto: older}, rpc.Config{Proto: jsonrpc.New}}, {rpc.Config{Proto: jsonrpc.New}, rpc.Config{Proto: older}},
	} {
		server, client := newEndpoint(t, c.server), newEndpoint(t, c.client)
		rpctest.Handle(t, server, "/echo", func(_ rpc.Context, s string) (string, error) { return s, nil })
		s := rpctest.Dial(t, client, rpctest.OnLoopback(t, server))
		var got string
		if err := s.Call(t.Context(), "/echo", "x", &got); err != nil || got != "x" {
			t.Errorf("got %q, %v", got, err)
		}
		got = "untouched"
		if err := s.Call(t.Context(), "/echo", nil, nil); err != nil {
			t.Error(err)
		}
		if code := status.CodeOf(s.Call(t.Context(), "/none", nil, &got)); code != status.NotFound || got != "untouched" {
			t.Errorf("got %d, %q", code, got)
		}
	}
}

// shout is a codec whose text is no JSON.
type shout struct{}

func (shout) ID() byte                        { return 's' }
func (shout) Name() string                    { return "shout" }
func (shout) Marshal(any) ([]byte, error)     { return []byte("HEY"), nil }
func (shout) Unmarshal(b []byte, v any) error { return errors.New("it must not be used") }

// TestF43BodiesAreJSONWhateverTheDefaultCodec is, that of a call and of its answer.
func TestF43BodiesAreJSONWhateverTheDefaultCodecIs(t *testing.T) {
	c := rpc.Config{Codecs: []codec.Codec{shout{}}}
	server, client := newEndpoint(t, c), newEndpoint(t, c)
	rpctest.Handle(t, server, "/echo", func(_ rpc.Context, s string) (string, error) { return s, nil })
	address := rpctest.OnLoopback(t, server)
	want(t, dialLines(t, address).ask(`{"jsonrpc":"2.0","method":"/echo","params":"x","id":1}`), `{"jsonrpc":"2.0","result":"x","id":1}`)
	s := rpctest.Dial(t, client, address)
	var got string
	for _, opts := range [][]rpc.CallOption{nil, {rpc.WithCodec('s')}, {rpc.WithMeta("X-Accept-Body-Codec", "115")}} {
		if err := s.Call(t.Context(), "/echo", "x", &got, opts...); err != nil || got != "x" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
