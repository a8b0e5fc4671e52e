package jsonrpc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/status"
)

// side is one end of a session, as the endpoint sees it.
type side struct {
	t testing.TB
	proto.Framer
}

func newSide(t testing.TB, s proto.Stream) *side {
	return &side{t, jsonrpc.New(s).(proto.Framer)}
}

// read gives the messages in text, which must be whole lines.
func (s *side) read(text string) (list []message.Message) {
	s.t.Helper()
	for buf := []byte(text); len(buf) > 0; {
		var m message.Message
		n, err := s.CutFrame(buf, &m)
		if err != nil || n <= 0 || n != m.Size {
			s.t.Fatalf("%.200s: cut %d, size %d, %v", buf, n, m.Size, err)
		}
		list, buf = append(list, m), buf[n:]
	}
	return list
}

func (s *side) readOne(text string) message.Message {
	s.t.Helper()
	list := s.read(text)
	if len(list) != 1 {
		s.t.Fatalf("%s: %d messages", text, len(list))
	}
	return list[0]
}

// write gives the line of m without its end.
func (s *side) write(m *message.Message) string {
	s.t.Helper()
	out, err := s.AppendFrame([]byte("before"), m)
	if err != nil {
		s.t.Fatal(err)
	}
	line, whole := strings.CutSuffix(string(out[len("before"):]), "\r\n")
	if m.Size != len(out)-len("before") || !whole && m.Size > 0 || strings.Contains(line, "\n") {
		s.t.Errorf("size %d for %q", m.Size, out)
	}
	return line
}

// answer gives the line with which a call is answered: a refusal as it is, else by body
// or st.
func (s *side) answer(m message.Message, body string, st *status.Status) string {
	s.t.Helper()
	if m.Type != message.Call {
		s.t.Fatalf("%v is not answered", m.Type)
	}
	if m.Refusal != nil {
		st = m.Refusal
	}
	reply := message.Message{Type: message.Reply, Seq: m.Seq, Status: st}
	if st == nil {
		reply.Codec, reply.Body = 'j', []byte(body)
	}
	return s.write(&reply)
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// plain and ours are requests as the two kinds of peers write them.
func plain(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"/a","params":[1],"id":%s}`+"\n", id)
}

func ours(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"/a","params":[1],"id":%s,"context":{}}`+"\r\n", id)
}

func TestF42IDsAreEchoedAsTheyCame(t *testing.T) {
	s := newSide(t, proto.Stream{})
	for _, id := range []string{
		`7`, `-7`, `0`, `-0`, `7e1`, `1.0`, `1.50`, `2147483647`, `2147483648`, `-2147483649`, `123456789012345678901234567890`,
		`"abc"`, `"7"`, `""`, `"\u00e9\n\"}"`, `"é"`, `null`, `"` + strings.Repeat("x", 254) + `"`,
	} {
		m := s.readOne(plain(id))
		if m.Type != message.Call || m.Method != "/a" || string(m.Body) != "[1]" || m.Codec != 'j' || m.Refusal != nil {
			t.Errorf("%s: got %+v", id, m)
		}
		want(t, s.answer(m, "6", nil), `{"jsonrpc":"2.0","result":6,"id":`+id+`}`)
		want(t, s.answer(s.readOne(ours(id)), "6", nil), `{"jsonrpc":"2.0","id":`+id+`,"result":6,"context":{}}`)
	}
}

// TestF42NoTwoCallsHaveOneNumber, whatever ids the peer uses at once.
func TestF42NoTwoCallsHaveOneNumber(t *testing.T) {
	s := newSide(t, proto.Stream{})
	ids := []string{`"a"`, `-1`, `-1`, `1`, `"1"`, `1`, `1.0`, `-2`, `null`, `null`, `-3`, `"b"`, `2147483648`, `-2147483648`, `2147483647`}
	calls, seen := map[string][]message.Message{}, map[int32]string{}
	for _, id := range ids {
		m := s.readOne(plain(id))
		if other, taken := seen[m.Seq]; taken {
			t.Errorf("%s and %s are both %d", id, other, m.Seq)
		}
		seen[m.Seq] = id
		calls[id] = append(calls[id], m)
	}
	for id, list := range calls {
		for _, m := range list {
			want(t, s.answer(m, "6", nil), `{"jsonrpc":"2.0","result":6,"id":`+id+`}`)
		}
	}
	// All are free again.
	for id, seq := range map[string]int32{`1`: 1, `-1`: -1, `-2147483648`: -1 << 31} {
		if m := s.readOne(plain(id)); m.Seq != seq {
			t.Errorf("%s is %d", id, m.Seq)
		}
	}
}

func TestIDsThatAreNoneAreRefused(t *testing.T) {
	for id, cause := range map[string]string{
		`{}`: "id is no string, no number and not null", `[1]`: "id is no string, no number and not null",
		`true`: "id is no string, no number and not null", `"` + strings.Repeat("x", 255) + `"`: "id has 257 bytes, the most is 256",
	} {
		s := newSide(t, proto.Stream{})
		want(t, s.answer(s.readOne(plain(id)), "", nil),
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"code":400,"cause":"`+cause+`"}},"id":null}`)
		want(t, s.answer(s.readOne(ours(id)), "", nil),
			`{"jsonrpc":"2.0","id":null,"context":{},"error":{"code":400,"message":"Bad Message","data":null,"cause":"`+cause+`"}}`)
	}
}

// TestF42NotificationsArePushes, with and without context.
func TestF42NotificationsArePushes(t *testing.T) {
	peer := new(proto.Peer)
	s := newSide(t, proto.Stream{Peer: peer})
	m := s.readOne(`{"jsonrpc":"2.0","method":"/note","params":{"a":1}}` + "\n")
	if m.Type != message.Push || m.Method != "/note" || string(m.Body) != `{"a":1}` || m.Codec != 'j' || m.Refusal != nil || peer.Ours() {
		t.Errorf("got %+v, ours: %v", m, peer.Ours())
	}
	m = s.readOne(`{"jsonrpc":"2.0","method":"/note","context":{"k":"v"}}` + "\n")
	if m.Type != message.Push || m.Meta.Value("k") != "v" || !peer.Ours() {
		t.Errorf("got %+v, ours: %v", m, peer.Ours())
	}
}

func TestParamsOfEveryKindAreTheBody(t *testing.T) {
	s := newSide(t, proto.Stream{})
	for params, body := range map[string]string{
		``: ``, `,"params":null`: ``, `,"params":[42, 23]`: `[42, 23]`, `,"params":{"a": {"b":[]}}`: `{"a": {"b":[]}}`,
		`,"params":"x,\"}"`: `"x,\"}"`, `,"params":1`: `1`, `,"params":false`: `false`, `,"params":[]`: `[]`,
	} {
		m := s.readOne(`{"jsonrpc":"2.0","method":"/a"` + params + `,"id":"x"}` + "\n")
		if m.Refusal != nil || string(m.Body) != body {
			t.Errorf("%s: got %+v", params, m)
		}
		want(t, s.answer(m, "", nil), `{"jsonrpc":"2.0","result":null,"id":"x"}`)
	}
}

// TestNamesAreExact: encoding/json would take ID for id.
func TestNamesAreExact(t *testing.T) {
	s := newSide(t, proto.Stream{})
	m := s.readOne(` { "ID" : 1 , "PARAMS" : 2 , "Method":"/b", "\u006dethod" : "\/a\u00e9" , "x":[{"id":5},"]"], "jsonrpc" : "2.0" , "id" : "x" , "id" : "y" } ` + "\n")
	if m.Method != "/aé" || m.Body != nil {
		t.Errorf("got %+v", m)
	}
	want(t, s.answer(m, "1", nil), `{"jsonrpc":"2.0","result":1,"id":"y"}`)
}

func TestRequestsThatAreNoneAreRefused(t *testing.T) {
	for text, answer := range map[string]string{
		`1`:                                      `it is no object|null`,
		`"x"`:                                    `it is no object|null`,
		`{}`:                                     `jsonrpc is not \"2.0\"|null`,
		`{"method":"/a","id":1}`:                 `jsonrpc is not \"2.0\"|1`,
		`{"jsonrpc":"1.0","method":"/a","id":1}`: `jsonrpc is not \"2.0\"|1`,
		`{"jsonrpc":2.0,"method":"/a","id":1}`:   `jsonrpc is not \"2.0\"|1`,
		`{"jsonrpc":"2.0","id":1}`:               `method is no string|1`,
		`{"jsonrpc":"2.0","method":null}`:        `method is no string|null`,
	} {
		s := newSide(t, proto.Stream{})
		cause, id, _ := strings.Cut(answer, "|")
		want(t, s.answer(s.readOne(text+"\n"), "", nil),
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"code":400,"cause":"`+cause+`"}},"id":`+id+`}`)
	}
	for _, text := range []string{`{"method":1,"id":3,"context":{}}`, `{"jsonrpc":"2.0","method":"/a","id":3,"context":[]}`} {
		s := newSide(t, proto.Stream{})
		if m := s.readOne(text + "\n"); m.Refusal == nil || m.Refusal.Code != status.BadMessage || m.Seq != 3 {
			t.Errorf("%s: got %+v", text, m)
		}
	}
	// Older writers always say 2.0, but nobody asks for it.
	if m := newSide(t, proto.Stream{}).readOne(`{"method":"/a","id":3,"context":null}` + "\n"); m.Refusal != nil || m.Type != message.Call {
		t.Errorf("got %+v", m)
	}
}
