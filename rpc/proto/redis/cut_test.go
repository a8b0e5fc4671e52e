package redis_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/redis"
)

func newProto(limit int) *redis.Proto {
	return redis.New(proto.Stream{Limits: proto.Limits{Message: limit}}).(*redis.Proto)
}

// cut reads the one command that in is.
func cut(t *testing.T, p *redis.Proto, in string) *message.Message {
	t.Helper()
	m := new(message.Message)
	n, err := p.CutFrame([]byte(in), m)
	if err != nil || n != len(in) || m.Size != n {
		t.Fatalf("%q: cut %d bytes, size %d, %v", in, n, m.Size, err)
	}
	return m
}

// args reads the body of a command.
func args(t *testing.T, m *message.Message) []string {
	t.Helper()
	list := []string{}
	if err := (redis.Codec{}).Unmarshal(m.Body, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCommandsAreCalls(t *testing.T) {
	for _, test := range []struct{ in, method, args string }{
		{"*1\r\n$4\r\nPING\r\n", "ping", ""},
		{"*2\r\n$3\r\nGeT\r\n$1\r\nk\r\n", "get", "k"},
		{"*3\r\n$3\r\nset\r\n$0\r\n\r\n$4\r\n\r\n\x00\xff\r\n", "set", "|\r\n\x00\xff"},
		{"*1\r\n$0\r\n\r\n", "", ""},
		{"*1\r\n$3\r\n\xc3\x84B\r\n", "\xc3\x84b", ""},
		{"PING\r\n", "ping", ""},
		{"  get\t k \n", "get", "k"},
		{"set \"\" ''\r\n", "set", "|"},
		{`set "a\x41\n\r\t\a\b\"\\\q\x4" 'b\'c\n"'` + "\n", "set", "aA\n\r\t\a\b\"\\qx4|b'c\\n\""},
		{"set a\"b c\" d'e f'\n", "set", "ab c|de f"},
		{`"se\x74" x` + "\n", "set", "x"},
	} {
		m := cut(t, newProto(0), test.in)
		if got := strings.Join(args(t, m), "|"); m.Type != message.Call || m.Method != "/redis/"+test.method || got != test.args || m.Codec != 'r' || m.Last {
			t.Errorf("%q: got %+v, %q", test.in, m, got)
		}
	}
}

func TestBodyIsJSONOfTheOtherArguments(t *testing.T) {
	m := cut(t, newProto(0), "set k \"v\\xff\"\n")
	if string(m.Body) != `["aw==","dv8="]` {
		t.Errorf("got %s", m.Body)
	}
	if m = cut(t, newProto(0), "dbsize\n"); string(m.Body) != `[]` {
		t.Errorf("got %s", m.Body)
	}
}

func TestPrefixIsAnOption(t *testing.T) {
	for prefix, want := range map[string]string{"": "/redis/get", "/": "/get", "kv": "/kv/get", "/a/b/": "/a/b/get"} {
		p := redis.Options{Prefix: prefix}.New(proto.Stream{}).(*redis.Proto)
		if m := cut(t, p, "GET k\r\n"); m.Method != want {
			t.Errorf("%q: got %s, want %s", prefix, m.Method, want)
		}
	}
}

func TestNumbersAreConsecutive(t *testing.T) {
	p := newProto(0)
	for want := int32(1); want < 4; want++ {
		if m := cut(t, p, "ping\n"); m.Seq != want {
			t.Errorf("got %d, want %d", m.Seq, want)
		}
	}
}

// What is empty has no answer, and neither waits for more nor counts.
func TestEmptyCommandsAreNobodysReplies(t *testing.T) {
	p := newProto(0)
	for _, in := range []string{"\n", "\r\n", "  \r\n", "*0\r\n", "*-1\r\n", "*-12\r\n"} {
		if m := cut(t, p, in); m.Type != message.Reply || m.Seq != 0 || m.Refusal != nil {
			t.Errorf("%q: got %+v", in, m)
		}
	}
	if m := cut(t, p, "ping\n"); m.Seq != 1 {
		t.Errorf("got %d", m.Seq)
	}
}

func TestQuitIsTheLast(t *testing.T) {
	if m := cut(t, newProto(0), "QUIT\r\n"); !m.Last || m.Method != "/redis/quit" {
		t.Errorf("got %+v", m)
	}
}

// What is no command is answered as redis does, and an error of the session.
func TestBadCommandsAreAnsweredAndEndTheSession(t *testing.T) {
	const limit = 1000
	for in, want := range map[string]string{
		"*x\r\n":                            "invalid multibulk length",
		"*\r\n":                             "invalid multibulk length",
		"*-x\r\n":                           "invalid multibulk length",
		"*1000000\r\n":                      "invalid multibulk length",
		"*99999999999999999999\r\n":         "invalid multibulk length",
		"*1\rx":                             "invalid mbulk count string",
		"*" + strings.Repeat("0", 40):       "invalid mbulk count string",
		"*1\r\n:1\r\n":                      "expected '$', got ':'",
		"*1\r\n\n":                          "expected '$', got ' '",
		"*1\r\n$-1\r\n":                     "invalid bulk length",
		"*1\r\n$+1\r\n":                     "invalid bulk length",
		"*1\r\n$\r\n":                       "invalid bulk length",
		"*1\r\n$999\r\n":                    "invalid bulk length",
		"*2\r\n$985\r\n":                    "invalid bulk length",
		"*1\r\n$99999999999\r\n":            "invalid bulk length",
		"*1\r\n$" + strings.Repeat("0", 40): "invalid bulk count string",
		"*1\r\n$1\r\nabc":                   "no end of line behind a bulk string",
		strings.Repeat("a", limit+1):        "too big inline request",
		strings.Repeat("a", limit) + "\n":   "too big inline request",
		"get \"a\r\n":                       "unbalanced quotes in request",
		"get 'a\r\n":                        "unbalanced quotes in request",
		"get \"a\"b\r\n":                    "unbalanced quotes in request",
		"-ERR unknown command\r\n":          "a reply, where a command is expected",
		"$-1\r\n":                           "a reply, where a command is expected",
		"*2\r\n$3\r\nget\r\n*1\r\n" + strings.Repeat("a", 9): "expected '$', got '*'",
	} {
		p, m := newProto(limit), new(message.Message)
		n, err := p.CutFrame([]byte(in), m)
		if err == nil || n != 0 || m.Refusal == nil || m.Type != message.Call {
			t.Errorf("%q: cut %d, %v, %+v", in, n, err, m)
			continue
		}
		out, err := p.AppendFrame(nil, &message.Message{Type: message.Reply, Seq: m.Seq, Status: m.Refusal})
		if got := string(out); err != nil || got != "-ERR Protocol error: "+want+"\r\n" {
			t.Errorf("%q: answered %q, %v, want %q", in, got, err, want)
		}
	}
	long := strings.Repeat("a", 64<<10) + "\n"
	if _, err := newProto(1<<20).CutFrame([]byte(long), new(message.Message)); err == nil {
		t.Error("a line of more than 64 KiB was taken")
	}
}

// A page can make a browser send requests to any address: their lines are no commands.
func TestHTTPRequestsGetNoAnswer(t *testing.T) {
	for _, in := range []string{"POST / HTTP/1.1\r\n", "Host: localhost:6379\r\n"} {
		m := new(message.Message)
		if n, err := newProto(0).CutFrame([]byte(in), m); err == nil || n != 0 || m.Refusal != nil {
			t.Errorf("%q: cut %d, %v, %+v", in, n, err, m)
		}
	}
	cut(t, newProto(0), "*1\r\n$4\r\nPOST\r\n")
}

// Whatever the pieces in which it comes, a command is cut when it is complete.
func TestCommandsComeInPieces(t *testing.T) {
	for _, in := range []string{"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$11\r\nhello\r\nhell\r\n", "set 'a b' c\r\n", "\r\n"} {
		p := newProto(0)
		for end := range len(in) {
			m := new(message.Message)
			if n, err := p.CutFrame([]byte(in[:end]), m); n != 0 || err != nil || m.Type != message.Undefined {
				t.Errorf("%q: cut %d, %v", in[:end], n, err)
			}
			if need, err := p.FrameSize([]byte(in[:end])); err != nil || need <= end || need > len(in) {
				t.Errorf("%q: needs %d, %v", in[:end], need, err)
			}
		}
		if need, err := p.FrameSize([]byte(in)); err != nil || need != len(in) {
			t.Errorf("%q: needs %d, %v", in, need, err)
		}
		cut(t, p, in)
		cut(t, p, "ping\r\n")
	}
}

// A command of a million pieces costs what its bytes cost: each piece is looked at once.
func TestManySmallPiecesAreCheap(t *testing.T) {
	const count = 1 << 16
	in := []byte("*65536\r\n" + strings.Repeat("$1\r\na\r\n", count))
	p := newProto(1 << 20)
	started := time.Now()
	for end := 1; end < len(in); end++ {
		if n, err := p.CutFrame(in[:end], new(message.Message)); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	if m := cut(t, p, string(in)); len(args(t, m)) != count-1 {
		t.Error("arguments are missing")
	}
	// From its start each time it would be 30 000 million steps.
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestF2AnnouncedSizesTakeNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, in := range []string{"*1\r\n$16000000\r\n", "*1000000\r\n", "*1048577\r\n"} {
		p := newProto(16 << 20)
		for range 10 {
			p.CutFrame([]byte(in), new(message.Message))
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("%d bytes were allocated", got)
	}
}

// TestD1OneReader: what comes with a command belongs to the next one.
func TestD1UnpackTakesNoByteOfTheNext(t *testing.T) {
	in := "*1\r\n$4\r\nPING\r\n" + "\r\n" + "get k\n" + "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" + "*1\r\n+abc"
	r := bufio.NewReader(strings.NewReader(in))
	p := redis.New(proto.Stream{Reader: r})
	for _, method := range []string{"/redis/ping", "", "/redis/get", "/redis/get"} {
		var m message.Message
		if err := p.Unpack(&m); err != nil || m.Method != method {
			t.Errorf("got %+v, %v, want %s", m, err, method)
		}
	}
	var m message.Message
	if err := p.Unpack(&m); err == nil || m.Refusal == nil {
		t.Errorf("got %+v, %v", m, err)
	}
	p = redis.New(proto.Stream{Reader: bufio.NewReader(strings.NewReader(""))})
	if err := p.Unpack(&m); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// Commands that nobody answers, and answers that wait behind one, are bounded.
func TestCommandsThatWaitAreBounded(t *testing.T) {
	p := newProto(0)
	line := []byte("unknown " + strings.Repeat("a", 200) + "\n")
	for n := range 1 << 20 {
		m := new(message.Message)
		if _, err := p.CutFrame(line, m); err != nil {
			if n < 2048 || m.Refusal != nil {
				t.Errorf("after %d commands: %v", n, err)
			}
			return
		}
		if n > 0 { // the first one is never answered
			m.Type, m.Status = message.Reply, notFound()
			if out, err := p.AppendFrame(nil, m); err != nil || len(out) > 0 {
				t.Fatalf("%q, %v", out, err)
			}
		}
	}
	t.Error("there is no end")
}

// FuzzCutFrame: no input panics, and what was read is written by a client and read again
// as the same command.
func FuzzCutFrame(f *testing.F) {
	for _, seed := range []string{
		"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*1\r\n$4\r\nPING\r\n", "set \"a\\x00\\\"\" 'b\\'' c\r\n", "*0\r\n", "\r\n", "*-1\r\n",
		"*3\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n", "hello 3 setname x auth a b\n", "client setname x\n", "reset\n", "quit\n",
		"*1\r\n$16777216\r\n", "*1048576\r\n$0\r\n\r\n", "get \"a\"b\n", "POST / HTTP/1.1\r\n", "$-1\r\n", "*1\r\n$1\r\nabc",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newProto(1 << 20)
		var first, second message.Message
		n, err := p.CutFrame(in, &first)
		if n < 0 || n > len(in) || err != nil && n != 0 {
			t.Fatalf("cut %d of %d bytes, error %v", n, len(in), err)
		}
		checkPieces(t, in, n, err)
		if n == 0 || first.Type != message.Call {
			return
		}
		out, err := newProto(1<<20).AppendFrame(nil, &first)
		if err != nil {
			return // such as SUBSCRIBE, or no name at all
		}
		if n, err := newProto(1<<20).CutFrame(out, &second); err != nil || n != len(out) {
			t.Fatalf("our own command %q: cut %d, %v", out, n, err)
		}
		if first.Method != second.Method || first.Codec != second.Codec || !bytes.Equal(first.Body, second.Body) {
			t.Fatalf("first %+v, second %+v", first, second)
		}
		for _, st := range []*message.Message{{Type: message.Reply, Seq: first.Seq, Status: notFound()}} {
			if out, err := p.AppendFrame(nil, st); err != nil || bytes.Count(out, []byte("\n")) != 1 || !bytes.HasSuffix(out, []byte("\r\n")) {
				t.Fatalf("the answer to %q is %q, %v", in, out, err)
			}
		}
	})
}

// checkPieces: in pieces it is read as in one.
func checkPieces(t *testing.T, in []byte, n int, err error) {
	p := newProto(1 << 20)
	for end := 0; end <= min(len(in), 200); end++ {
		got, errPiece := p.CutFrame(in[:end], new(message.Message))
		switch {
		case got == 0 && errPiece == nil:
		case errPiece != nil && err != nil, got == n:
			return
		default:
			t.Fatalf("the first %d bytes: cut %d, %v; all: %d, %v", end, got, errPiece, n, err)
		}
	}
	if len(in) <= 200 && (n != 0 || err != nil) {
		t.Fatalf("cut %d, %v, but in pieces nothing", n, err)
	}
}
