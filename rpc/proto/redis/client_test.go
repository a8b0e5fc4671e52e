package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/status"
)

func body(t *testing.T, v any) []byte {
	t.Helper()
	b, err := redis.Codec{}.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// caller is a Proto that has written calls with these numbers.
func caller(t *testing.T, numbers ...int32) *redis.Proto {
	t.Helper()
	p := newProto(1000)
	for _, seq := range numbers {
		if _, err := p.AppendFrame(nil, &message.Message{Type: message.Call, Seq: seq, Method: "/redis/get"}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestCallsAreCommands(t *testing.T) {
	const command = "*3\r\n$3\r\nget\r\n$1\r\na\r\n$1\r\n7\r\n"
	for _, test := range []struct {
		body []byte
		want string
	}{
		{nil, "*1\r\n$3\r\nget\r\n"},
		{body(t, []string{"a", "7"}), command},
		{body(t, [][]byte{[]byte("a"), []byte("7")}), command},
		{body(t, []any{"a", 7}), command},
		{[]byte(`["YQ==","Nw=="]`), command},
		{body(t, "a"), "*2\r\n$3\r\nget\r\n$1\r\na\r\n"},
		{body(t, 1.5), "*2\r\n$3\r\nget\r\n$3\r\n1.5\r\n"},
		{body(t, map[string]int{"a": 7}), command},
	} {
		m := message.Message{Type: message.Call, Method: "/redis/get", Codec: 'r', Body: test.body}
		got, err := newProto(0).AppendFrame(nil, &m)
		if err != nil || string(got) != test.want || m.Size != len(got) {
			t.Errorf("%q: got %q, %v", test.body, got, err)
		}
	}
}

func TestCallsThatAreNoCommandsAreRefused(t *testing.T) {
	for _, m := range []message.Message{
		{Method: "/get"}, {Method: "/redis/"}, {Method: "/redis/get", Body: []byte("x")}, {Method: "/redis/get", Body: []byte("[1")},
		{Method: "/redis/get", Body: body(t, []any{nil})}, {Method: "/redis/get", Body: body(t, []any{[]any{}})}, {Method: "/redis/get", Body: body(t, nil)},
		{Method: "/redis/SUBSCRIBE", Body: body(t, "a")}, {Method: "/redis/monitor"}, {Method: "/redis/client", Body: body(t, []string{"Reply", "off"})},
	} {
		m.Type = message.Call
		if dst, err := newProto(0).AppendFrame([]byte("before"), &m); err == nil || string(dst) != "before" {
			t.Errorf("%s %q: got %q", m.Method, m.Body, dst)
		}
	}
	m := message.Message{Type: message.Call, Method: "/redis/get", Body: body(t, strings.Repeat("a", 100))}
	if _, err := newProto(100).AppendFrame(nil, &m); !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	m = message.Message{Type: message.Push, Method: "/redis/get"}
	if _, err := caller(t, 1).AppendFrame(nil, &m); !errors.Is(err, redis.ErrNotCarried) {
		t.Errorf("a push to a server: %v", err)
	}
}

func TestRepliesBelongToTheCallsInTheirOrder(t *testing.T) {
	p := caller(t, 5, 3, 4)
	m := cut(t, p, "$1\r\na\r\n")
	if m.Type != message.Reply || m.Seq != 5 || string(m.Body) != "$1\r\na\r\n" || m.Codec != 'r' || m.Status != nil {
		t.Errorf("got %+v", m)
	}
	m = cut(t, p, "-WRONGTYPE x\r\n")
	if m.Seq != 3 || m.Status == nil || m.Status.Code != status.Unknown || m.Status.Cause != "WRONGTYPE x" || len(m.Body) > 0 {
		t.Errorf("got %+v", m)
	}
	m = cut(t, p, ">2\r\n$4\r\nNote\r\n+a\r\n")
	if m.Type != message.Push || m.Method != "/redis/note" || string(m.Body) != "*1\r\n+a\r\n" {
		t.Errorf("got %+v", m)
	}
	m = cut(t, p, "!5\r\nERR a\r\n")
	if m.Seq != 4 || m.Status == nil || m.Status.Cause != "ERR a" {
		t.Errorf("got %+v", m)
	}
	if n, err := p.CutFrame([]byte(":1\r\n"), new(message.Message)); err == nil || n != 0 {
		t.Errorf("a reply to nothing: cut %d", n)
	}
}

func TestBadRepliesEndTheSession(t *testing.T) {
	for _, in := range []string{
		"hello\r\n", "$x\r\n", "$2000\r\n", "*400\r\n", "*2\r\n%400\r\n", "+" + strings.Repeat("a", 2000), ">0\r\n", ">1\r\n:1\r\n", "$1\r\nabc",
	} {
		p, m := caller(t, 1), new(message.Message)
		if n, err := p.CutFrame([]byte(in), m); err == nil || n != 0 || m.Refusal != nil {
			t.Errorf("%q: cut %d, %+v", in, n, m)
		}
	}
}

func TestRepliesComeInPieces(t *testing.T) {
	for _, in := range []string{"*2\r\n%1\r\n+a\r\n$2\r\nab\r\n_\r\n", "|1\r\n+a\r\n:1\r\n*1\r\n$-1\r\n", ":1\r\n", "*0\r\n"} {
		p := caller(t, 1, 2)
		for end := range len(in) {
			if n, err := p.CutFrame([]byte(in[:end]), new(message.Message)); n != 0 || err != nil {
				t.Errorf("%q: cut %d, %v", in[:end], n, err)
			}
		}
		if m := cut(t, p, in); string(m.Body) != in {
			t.Errorf("%q: got %+v", in, m)
		}
		cut(t, p, ":2\r\n")
	}
}

func TestCallsThatWaitAreBounded(t *testing.T) {
	p := newProto(0)
	for n := range 1 << 20 {
		if _, err := p.AppendFrame(nil, &message.Message{Type: message.Call, Seq: int32(n), Method: "/redis/get"}); err != nil {
			return
		}
	}
	t.Error("there is no end")
}

// FuzzReply: no input panics, whoever sends it.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{"$1\r\na\r\n", "*2\r\n%1\r\n+a\r\n_\r\n:1\r\n", "-ERR a\r\n", ">2\r\n+a\r\n:1\r\n", "|1\r\n+a\r\n:1\r\n-x\r\n", "*99999999\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, m := caller(t, 1), new(message.Message)
		n, err := p.CutFrame(in, m)
		if n < 0 || n > len(in) || err != nil && n != 0 {
			t.Fatalf("cut %d of %d bytes, error %v", n, len(in), err)
		}
		if n > 0 && m.Type == message.Reply && m.Status == nil {
			_, _ = redis.ParseValue(m.Body)
		}
	})
}
