package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/status"
)

func notFound() *status.Status { return status.New(status.NotFound, "") }

// answer gives what may be written with the answer to seq.
func answer(t *testing.T, p *redis.Proto, seq int32, body string, st *status.Status) string {
	t.Helper()
	out, err := p.AppendFrame([]byte(">"), &message.Message{Type: message.Reply, Seq: seq, Status: st, Codec: 'r', Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return string(out[1:])
}

// session is a Proto that has read a command, in version 2 or 3.
func session(t *testing.T, version int) (p *redis.Proto, seq int32) {
	t.Helper()
	p = newProto(1 << 16)
	m := cut(t, p, fmt.Sprintf("HELLO %d\n", version))
	answer(t, p, m.Seq, "+OK\r\n", nil)
	return p, cut(t, p, "get k\n").Seq
}

// TestRepliesSuitTheVersion: what is in the body is RESP3, or what a handler has of RESP2.
func TestD2RepliesSuitTheVersion(t *testing.T) {
	for _, test := range []struct{ body, two, three string }{
		{"", "$-1\r\n", "_\r\n"},
		{"_\r\n", "$-1\r\n", "_\r\n"},
		{"$-1\r\n", "$-1\r\n", "_\r\n"},
		{"*-1\r\n", "*-1\r\n", "_\r\n"},
		{"$0\r\n\r\n", "$0\r\n\r\n", ""},
		{"$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n", ""},
		{"+OK\r\n", "+OK\r\n", ""},
		{":-12\r\n", ":-12\r\n", ""},
		{"-WRONGTYPE x\r\n", "-WRONGTYPE x\r\n", ""},
		{"#t\r\n", ":1\r\n", ""},
		{"#f\r\n", ":0\r\n", ""},
		{",1.5\r\n", "$3\r\n1.5\r\n", ""},
		{",-inf\r\n", "$4\r\n-inf\r\n", ""},
		{"(123456789012345678901234567890\r\n", "$30\r\n123456789012345678901234567890\r\n", ""},
		{"=6\r\ntxt:ab\r\n", "$2\r\nab\r\n", ""},
		{"!5\r\na\r\nbc\r\n", "-a  bc\r\n", ""},
		{"*2\r\n_\r\n*1\r\n#t\r\n", "*2\r\n$-1\r\n*1\r\n:1\r\n", ""},
		{"%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n", "*4\r\n+a\r\n:1\r\n+b\r\n*0\r\n", ""},
		{"~1\r\n:1\r\n", "*1\r\n:1\r\n", ""},
		{"|1\r\n+ttl\r\n:3\r\n:7\r\n", ":7\r\n", ""},
		{"*1\r\n|1\r\n+a\r\n*1\r\n:1\r\n:7\r\n", "*1\r\n:7\r\n", ""},
	} {
		if test.three == "" {
			test.three = test.body
		}
		for version, want := range map[int]string{2: test.two, 3: test.three} {
			p, seq := session(t, version)
			if got := answer(t, p, seq, test.body, nil); got != want {
				t.Errorf("%q in version %d: got %q, want %q", test.body, version, got, want)
			}
		}
	}
}

// A body that is not one value would be taken for the replies to other commands.
func TestBodiesThatAreNoValueAreRefused(t *testing.T) {
	for _, body := range []string{
		"x", "hello", "+OK", "+OK\r", "+O\rK\r\n", "+O\nK\r\n", "$3\r\nab\r\n", "$1\r\nabc", "$x\r\n", "*2\r\n:1\r\n", "%1\r\n:1\r\n", ":1\r\n:2\r\n",
		">1\r\n:1\r\n", ":a\r\n", ":\r\n", ",x\r\n", "#x\r\n", "(1.5\r\n", "(\r\n", "_x\r\n", "=2\r\nab\r\n", "*999999999\r\n", "$?\r\n", "|1\r\n:1\r\n:1\r\n",
		strings.Repeat("*1\r\n", 40) + ":1\r\n", "|0\r\n>1\r\n:1\r\n",
	} {
		for _, version := range []int{2, 3} {
			p, seq := session(t, version)
			m := message.Message{Type: message.Reply, Seq: seq, Codec: 'r', Body: []byte(body)}
			dst, err := p.AppendFrame([]byte("before"), &m)
			if !errors.Is(err, redis.ErrValue) || string(dst) != "before" {
				t.Errorf("%q in version %d: got %q, %v", body, version, dst, err)
			}
			if got := answer(t, p, seq, "", notFound()); !strings.HasPrefix(got, "-ERR") {
				t.Errorf("afterwards the answer is %q", got)
			}
		}
	}
}

func TestD3StatusesAreErrorsInOneLine(t *testing.T) {
	for _, test := range []struct {
		st   *status.Status
		want string
	}{
		{status.New(1001, "a\r\nb\nc"), "ERR a  b c"},
		{status.New(status.Unknown, "no such key"), "ERR no such key"},
		{status.New(status.Unknown, "WRONGTYPE Operation against a key"), "WRONGTYPE Operation against a key"},
		{status.New(status.BadMessage, "NOPROTO"), "NOPROTO"},
		{status.New(status.BadMessage, "X is no word"), "ERR Bad Message: X is no word"},
		{status.New(status.BadMessage, "Wrong"), "ERR Bad Message: Wrong"},
		{status.New(status.InternalServerError, "incident 1a"), "ERR Internal Server Error: incident 1a"},
		{status.New(status.HandleTimeout, ""), "ERR Handle Timeout"},
		{status.New(status.Overloaded, "too many"), "ERR Overloaded: too many"},
		{status.New(status.Unauthorized, ""), "NOAUTH Unauthorized"},
		{status.New(status.NotFound, "no such thing"), "ERR Not Found: no such thing"},
		{&status.Status{Code: 7}, "ERR code 7"},
		{&status.Status{Code: 7, Msg: "m", Cause: "m"}, "ERR m"},
		{redis.Errorf("value is not %s", "an integer"), "ERR value is not an integer"},
		{redis.Errorf("BUSY %d", 1), "BUSY 1"},
		{status.New(1001, strings.Repeat("é", 1000)), "ERR " + strings.Repeat("é", 510)},
		{notFound(), "ERR unknown command 'get', with args beginning with: 'k' "},
	} {
		p, seq := session(t, 2)
		if got := answer(t, p, seq, "", test.st); got != "-"+test.want+"\r\n" {
			t.Errorf("%v: got %q, want %q", test.st, got, test.want)
		}
	}
}

func TestUnknownCommandsAreQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"FOO\n":                                  "'FOO', with args beginning with: ",
		"foo a 'b c'\n":                          "'foo', with args beginning with: 'a' 'b c' ",
		"\"f\\r\\no\"\n":                         "'f  o', with args beginning with: ",
		strings.Repeat("a", 300) + "\n":          "'" + strings.Repeat("a", 128) + "', with args beginning with: ",
		"x " + strings.Repeat("a", 300) + " b\n": "'x', with args beginning with: '" + strings.Repeat("a", 128) + "' ",
		"x " + strings.Repeat(strings.Repeat("a", 61)+" ", 3) + "\n": "'x', with args beginning with: '" + strings.Repeat("a", 61) + "' '" + strings.Repeat("a", 61) + "' ",
	} {
		p := newProto(0)
		if got := answer(t, p, cut(t, p, in).Seq, "", notFound()); got != "-ERR unknown command "+want+"\r\n" {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// A name that no route can have has none, whatever its beginning.
func TestLongNamesHaveNoRoute(t *testing.T) {
	if m := cut(t, newProto(0), strings.Repeat("a", 60000)+"\n"); len(m.Method) <= 255 || len(m.Method) > 300 {
		t.Errorf("the route has %d bytes", len(m.Method))
	}
}

func TestRepliesComeInTheOrderOfTheirCommands(t *testing.T) {
	p := newProto(0)
	var numbers []int32
	for range 5 {
		numbers = append(numbers, cut(t, p, "get k\n").Seq)
	}
	for _, step := range []struct {
		i    int
		st   *status.Status
		want string
	}{
		{1, status.New(1001, "b"), ""},
		{2, nil, ""},
		{0, nil, ":0\r\n-ERR b\r\n:2\r\n"},
		{4, status.New(1001, "e"), ""},
		{3, nil, ":3\r\n-ERR e\r\n"},
	} {
		if got := answer(t, p, numbers[step.i], fmt.Sprintf(":%d\r\n", step.i), step.st); got != step.want {
			t.Errorf("with the answer to %d: %q, want %q", step.i, got, step.want)
		}
	}
	if _, err := p.AppendFrame(nil, &message.Message{Type: message.Reply, Seq: numbers[0]}); err == nil {
		t.Error("a command was answered twice")
	}
}

func TestHelloSetsTheVersionWhenItSucceeds(t *testing.T) {
	const three, two = "_\r\n", "$-1\r\n"
	for _, test := range []struct {
		command string
		st      *status.Status
		null    string // what a null is in the answer, and in the next one
	}{
		{"hello 3", nil, three},
		{"HELLO 3 SETNAME x", nil, three},
		{"hello 3 auth a b", nil, three},
		{"hello 3 auth a b", status.New(status.Unauthorized, ""), two},
		{"hello 2", nil, two},
		{"hello", nil, two},
		{"hello 4", nil, two},
		{"hello 3 x", nil, two},
		{"hello 3 setname 'a b'", nil, two},
		{"ping 3", nil, two},
	} {
		p := newProto(0)
		want := test.null
		if test.st != nil {
			want = "-NOAUTH Unauthorized\r\n"
		}
		if got := answer(t, p, cut(t, p, test.command+"\n").Seq, "", test.st); got != want {
			t.Errorf("%s: got %q, want %q", test.command, got, want)
		}
		if got := answer(t, p, cut(t, p, "get k\n").Seq, "", nil); got != test.null {
			t.Errorf("after %s: got %q, want %q", test.command, got, test.null)
		}
		if got := answer(t, p, cut(t, p, "RESET\n").Seq, "", nil); got != two {
			t.Errorf("RESET after %s: got %q", test.command, got)
		}
	}
}

// In one write: a reply has the version of its turn.
func TestVersionsOfCommandsThatWait(t *testing.T) {
	p := newProto(0)
	commands := []string{"get k\n", "hello 3\n", "hello\n", "get k\n", "reset\n", "get k\n"}
	var versions, got []string
	var numbers []int32
	for _, c := range commands {
		m := cut(t, p, c)
		numbers, versions = append(numbers, m.Seq), append(versions, m.Meta.Value(redis.MetaVersion))
	}
	for _, seq := range numbers {
		got = append(got, strings.TrimSpace(answer(t, p, seq, "", nil)))
	}
	if all := strings.Join(got, " "); all != "$-1 _ _ _ $-1 $-1" {
		t.Errorf("got %s", all)
	}
	if all := strings.Join(versions, ","); all != ",3,3,,2," {
		t.Errorf("handlers were told %s", all)
	}
}

func TestNameOfTheClientIsTold(t *testing.T) {
	p := newProto(0)
	for _, step := range []struct{ command, name string }{
		{"client getname", ""}, {"client setname a", "a"}, {"CLIENT SETNAME 'b c'", "a"}, {"client getname", "a"},
		{"client setname ''", ""}, {"hello 3 setname d", "d"}, {"hello 9 setname e", "d"}, {"reset", ""},
		{"client setname " + strings.Repeat("x", 257), ""},
	} {
		m := cut(t, p, step.command+"\n")
		if got := m.Meta.Value(redis.MetaName); got != step.name {
			t.Errorf("%s: got %q, want %q", step.command, got, step.name)
		}
		answer(t, p, m.Seq, "", nil)
	}
}

func TestPushes(t *testing.T) {
	p, _ := session(t, 3)
	for _, test := range []struct{ method, body, want string }{
		{"/redis/note", "", ">1\r\n$4\r\nnote\r\n"},
		{"/other", ":1\r\n", ">2\r\n$6\r\n/other\r\n:1\r\n"},
		{"/redis/note", "*2\r\n+a\r\n*1\r\n_\r\n", ">3\r\n$4\r\nnote\r\n+a\r\n*1\r\n_\r\n"},
		{"/redis/note", "~1\r\n+a\r\n", ">2\r\n$4\r\nnote\r\n+a\r\n"},
		{"/redis/note", "%1\r\n+a\r\n:1\r\n", ">2\r\n$4\r\nnote\r\n%1\r\n+a\r\n:1\r\n"},
		{"/redis/note", `["YQ==",""]`, ">3\r\n$4\r\nnote\r\n$1\r\na\r\n$0\r\n\r\n"},
	} {
		m := message.Message{Type: message.Push, Method: test.method, Body: []byte(test.body)}
		got, err := p.AppendFrame(nil, &m)
		if err != nil || string(got) != test.want || m.Size != len(got) {
			t.Errorf("%s %q: got %q, %v, want %q", test.method, test.body, got, err, test.want)
		}
	}
	if _, err := p.AppendFrame(nil, &message.Message{Type: message.Push, Method: "/x", Body: []byte("x")}); !errors.Is(err, redis.ErrValue) {
		t.Errorf("got %v", err)
	}
}

func TestWhatCannotBeCarriedIsRefused(t *testing.T) {
	for _, test := range []struct {
		version int
		m       message.Message
	}{
		{2, message.Message{Type: message.Push, Method: "/redis/note"}},
		{3, message.Message{Type: message.Push, Method: "/_goaway"}},
		{3, message.Message{Type: message.Push, Method: "/_cancel"}},
		{3, message.Message{Type: message.Call, Method: "/redis/get"}},
		{3, message.Message{Type: message.AuthCall}},
		{3, message.Message{Type: message.Reply, Seq: 2, Filters: []byte("z")}},
	} {
		p, _ := session(t, test.version)
		dst, err := p.AppendFrame([]byte("before"), &test.m)
		if !errors.Is(err, redis.ErrNotCarried) || string(dst) != "before" {
			t.Errorf("%+v: got %q, %v", test.m, dst, err)
		}
	}
}

func TestRepliesOverTheLimitAreRefused(t *testing.T) {
	p := newProto(100)
	m := message.Message{Type: message.Reply, Seq: cut(t, p, "get k\n").Seq, Body: []byte("$100\r\n" + strings.Repeat("a", 100) + "\r\n")}
	if dst, err := p.AppendFrame([]byte("before"), &m); !errors.Is(err, proto.ErrTooLarge) || string(dst) != "before" {
		t.Errorf("got %q, %v", dst, err)
	}
	if got := answer(t, p, m.Seq, "", status.New(status.InternalServerError, "")); got != "-ERR Internal Server Error\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestTraits(t *testing.T) {
	if got := newProto(0).Traits(); got != (proto.Traits{Codec: codec.IDRedis, InOrder: true, Untold: true, HalfClose: true}) {
		t.Errorf("got %+v", got)
	}
	if id, name := newProto(0).Version(); id != 'r' || name != "redis" {
		t.Errorf("got %c %s", id, name)
	}
}
