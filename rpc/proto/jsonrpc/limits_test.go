package jsonrpc_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/status"
)

// TestF42ParseErrorCostsOneLine, and not the session.
func TestF42ParseErrorCostsOneLine(t *testing.T) {
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	for text, cause := range map[string]string{
		`{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]`: "the line is not JSON at byte 36",
		`Id=31&Jsonrpc=2.0&Method=%2Fa`:                          "the line is not JSON at byte 1",
		`[1,2`:                                                   "the line is not JSON at byte 4",
		`{"id":1} {"id":2}`:                                      "the line is not JSON at byte 10",
		"{\"method\":\"\xff\"}":                                  "the line is not UTF-8",
		deep:                                                     "the line is not JSON at byte 10001",
	} {
		s := newSide(t, proto.Stream{})
		want(t, s.answer(s.readOne(text+"\r\n"), "", nil),
			`{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error","data":{"code":400,"cause":"`+cause+`"}},"id":null}`)
		want(t, s.answer(s.readOne(plain("1")), "6", nil), `{"jsonrpc":"2.0","result":6,"id":1}`)
	}
	// As deep as it may be, and in a member that nobody asks for.
	s := newSide(t, proto.Stream{})
	deep = strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)
	if m := s.readOne(`{"x":` + deep + `,"jsonrpc":"2.0","method":"/a","params":` + deep + `,"id":1}` + "\n"); string(m.Body) != deep {
		t.Errorf("got %.200v", m.Refusal)
	}
}

func TestEmptyLinesSayNothing(t *testing.T) {
	s := newSide(t, proto.Stream{})
	for _, m := range s.read("\n\r\n  \n") {
		if m.Type != message.Reply || m.Seq != 0 || m.Status != nil {
			t.Errorf("got %+v", m)
		}
	}
}

// TestLineOverTheLimitIsAnsweredAndEndsTheSession, as soon as it is over, wherever its
// end may be.
func TestLineOverTheLimitIsAnsweredAndEndsTheSession(t *testing.T) {
	limit := len(plain("1"))
	stream := proto.Stream{Limits: proto.Limits{Message: limit}}
	if m := newSide(t, stream).readOne(plain("1")); m.Refusal != nil {
		t.Errorf("at the limit: %v", m.Refusal)
	}
	for _, text := range []string{plain("10"), strings.Repeat("x", 2*limit), strings.Repeat("x", 10_000)} {
		for name, read := range map[string]func(m *message.Message) error{
			"CutFrame": func(m *message.Message) error {
				n, err := newSide(t, stream).CutFrame([]byte(text), m)
				if n != 0 {
					t.Errorf("cut %d bytes", n)
				}
				return err
			},
			"Unpack": func(m *message.Message) error {
				stream := stream
				stream.Reader = bufio.NewReaderSize(strings.NewReader(text), 16)
				return jsonrpc.New(stream).Unpack(m)
			},
		} {
			var m message.Message
			if err := read(&m); !errors.Is(err, proto.ErrTooLarge) || m.Type != message.Call || m.Refusal == nil {
				t.Errorf("%s of %d bytes: got %+v, %v", name, len(text), m, err)
			}
		}
	}
}

func TestMetadataIsBounded(t *testing.T) {
	stream := proto.Stream{Limits: proto.Limits{Metadata: len(`{"k":"vvvv"}`)}}
	s := newSide(t, stream)
	line := func(value string) string {
		return `{"jsonrpc":"2.0","method":"/a","id":1,"context":{"k":"` + value + `"}}` + "\n"
	}
	if m := s.readOne(line("vvvv")); m.Refusal != nil || m.Meta.Value("k") != "vvvv" {
		t.Errorf("got %+v", m)
	}
	if m := s.readOne(line("vvvvv")); m.Refusal == nil || !strings.Contains(m.Refusal.Cause, "metadata has 13 bytes, the most is 12") {
		t.Errorf("got %+v", m)
	}
	if m := s.readOne(`{"id":1,"result":1,"context":{"k":"vvvvv"}}` + "\n"); status.CodeOf(m.Status) != status.BadMessage || m.Meta.Len() > 0 {
		t.Errorf("got %+v", m)
	}
	for _, kind := range []message.Type{message.Call, message.Reply} {
		m := message.Message{Type: kind, Seq: 1, Method: "/a"}
		m.Meta.Set("k", "vvvv")
		s.write(&m)
		m.Meta.Set("k", "vvvvv")
		if out, err := s.AppendFrame([]byte("before"), &m); !errors.Is(err, proto.ErrTooLarge) || string(out) != "before" {
			t.Errorf("%v: got %q, %v", kind, out, err)
		}
	}
}

// TestWriterKeepsTheLimit: a body over it is an error, and an error is told by its code.
func TestWriterKeepsTheLimit(t *testing.T) {
	s := newSide(t, proto.Stream{Limits: proto.Limits{Message: 200}})
	for _, request := range []string{plain("1"), ours("1")} {
		call, long := s.readOne(request), strings.Repeat("x", 200)
		for _, m := range []message.Message{
			{Type: message.Reply, Seq: call.Seq, Codec: 'j', Body: []byte(`"` + long + `"`)},
			{Type: message.Call, Method: long},
		} {
			if out, err := s.AppendFrame(nil, &m); !errors.Is(err, proto.ErrTooLarge) || len(out) > 0 {
				t.Errorf("got %q, %v", out, err)
			}
		}
		line := s.answer(call, "", &status.Status{Code: 503, Msg: "as it is", Cause: long})
		if len(line)+2 > 200 || !strings.Contains(line, `"message":"Overloaded"`) {
			t.Errorf("got %s", line)
		}
	}
}

// TestCallsWithoutAnAnswerAreBounded: further ones are told so, and a call that its
// caller has cancelled does not count.
func TestCallsWithoutAnAnswerAreBounded(t *testing.T) {
	s := newSide(t, proto.Stream{})
	var last message.Message
	for i := range 65536 {
		if last = s.readOne(plain(strconv.Quote(strconv.Itoa(i)))); last.Refusal != nil {
			t.Fatalf("%d: %v", i, last.Refusal)
		}
	}
	for range 2 {
		want(t, s.answer(s.readOne(plain(`"x"`)), "", nil), `{"jsonrpc":"2.0","error":{"code":503,"message":"Overloaded",`+
			`"data":{"code":503,"cause":"too many calls of this session have no answer yet","retry":true}},"id":"x"}`)
	}
	s.answer(last, "1", nil)
	if m := s.readOne(ours("7")); m.Refusal != nil {
		t.Errorf("got %v", m.Refusal)
	}
	if m := s.readOne(ours("8")); m.Refusal == nil {
		t.Error("8 was let in")
	} else {
		s.answer(m, "", nil)
	}
	s.readOne(`{"jsonrpc":"2.0","method":"/_cancel","context":{"seq":"7"}}` + "\n")
	if m := s.readOne(ours("8")); m.Refusal != nil {
		t.Errorf("got %v", m.Refusal)
	}
}

// TestLineInManyPiecesIsLookedThroughOnce: a peer that sends slowly must not buy a lot of
// our time.
func TestLineInManyPiecesIsLookedThroughOnce(t *testing.T) {
	s := newSide(t, proto.Stream{})
	line := append(bytes.Repeat([]byte(" "), 32<<20), plain("1")...)
	start := time.Now()
	for size := 512; size < len(line); size += 512 {
		if n, err := s.CutFrame(line[:size], new(message.Message)); n != 0 || err != nil {
			t.Fatalf("with %d bytes: %d, %v", size, n, err)
		}
	}
	var m message.Message
	if n, err := s.CutFrame(line, &m); n != len(line) || err != nil || m.Method != "/a" {
		t.Errorf("got %d, %v", n, err)
	}
	// To begin anew with each piece takes over ten times as long.
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestBytesInAnyPieces: no line is read before it is complete.
func TestBytesInAnyPieces(t *testing.T) {
	s := newSide(t, proto.Stream{})
	text := plain("1") + plain("2")
	first := len(plain("1"))
	for i := range first {
		if n, err := s.CutFrame([]byte(text[:i]), new(message.Message)); n != 0 || err != nil {
			t.Fatalf("with %d bytes: %d, %v", i, n, err)
		}
	}
	if n, err := s.CutFrame([]byte(text), new(message.Message)); n != first || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestPackAndUnpackOnAStream(t *testing.T) {
	var wire bytes.Buffer
	bodies := []string{`"one"`, `2`, `"` + strings.Repeat("x", 100_000) + `"`, `[4]`}
	p := jsonrpc.New(proto.Stream{Writer: &wire})
	for i, body := range bodies {
		if err := p.Pack(&message.Message{Type: message.Call, Seq: int32(i), Method: "/a", Codec: 'j', Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	wire.WriteString("[" + strings.TrimSpace(plain("5")) + "," + strings.TrimSpace(plain("6")) + "]\n")
	bodies = append(bodies, "[1]", "[1]")
	p = jsonrpc.New(proto.Stream{Reader: bufio.NewReader(iotest.OneByteReader(&wire))})
	for i, body := range bodies {
		var m message.Message
		if err := p.Unpack(&m); err != nil || string(m.Body) != body {
			t.Errorf("message %d: got %.100s, %v", i, m.Body, err)
		}
	}
	if err := p.Unpack(new(message.Message)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, text := range []string{"x", plain("1")[:20], strings.Repeat("x", 5000)} {
		p := jsonrpc.New(proto.Stream{Reader: bufio.NewReader(strings.NewReader(text))})
		if err := p.Unpack(new(message.Message)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", len(text), err)
		}
	}
}

// FuzzCutFrame: no input panics, what was read is written and read again as the same
// message, and every call can be answered in one line.
func FuzzCutFrame(f *testing.F) {
	for _, v := range prototest.Read(f, "jsonrpcproto.json") {
		f.Add(v.Frame(f))
	}
	for _, text := range []string{
		plain("1"), ours(`"x"`), plain("null"), "[]\n", "[1,2]\n", "[" + strings.TrimSpace(plain("1")) + "," + strings.TrimSpace(ours("1")) + `,{"id":3,"error":{"code":1}}]` + "\n",
		`{"jsonrpc":"2.0","method":"/note"}` + "\n", `{"id":1,"error":{"code":-32601,"data":{"code":404,"cause":"c","details":[1]}}}` + "\n",
		`{"jsonrpc":"2.0","method":"/_cancel","context":{"seq":"1"}}` + "\n", "\r\n", "x\n", `{"\u0069d":1,"result":null}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		prototest.CheckCut(t, jsonrpc.New, in)
		checkAnswers(t, in)
	})
}

// checkAnswers plays a whole session.
func checkAnswers(t *testing.T, in []byte) {
	s := newSide(t, proto.Stream{Limits: prototest.Limits()})
	for len(in) > 0 {
		var m message.Message
		n, err := s.CutFrame(in, &m)
		if err == nil && n == 0 {
			return
		}
		if m.Type == message.Call {
			if line := s.answer(m, "1", nil); line != "" && !json.Valid([]byte(line)) {
				t.Fatalf("%q is answered by %q", in[:n], line)
			}
		}
		if err != nil {
			return
		}
		in = in[n:]
	}
}
