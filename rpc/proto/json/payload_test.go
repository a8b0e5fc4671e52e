package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func newProto(t testing.TB, o json.Options, limits proto.Limits) proto.Framer {
	return o.New(proto.Stream{Limits: limits, Filters: prototest.Filters(t)}).(proto.Framer)
}

// framed puts a text into a frame without filters.
func framed(text string) []byte {
	n := len(text) + 1
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0}, text...)
}

func TestDefaultFormIsJSONAndComesBack(t *testing.T) {
	for _, body := range []string{``, `{"a":"x\"y"}`, `"c:\\b \n \u2028"`, "line\nbreak\x00\x7f", `é"\`} {
		m := &message.Message{Seq: -1, Type: message.Call, Method: "/a\a\"\\", Codec: 's', Body: []byte(body)}
		m.Meta.Set("k\x7f", "<v>\n")
		frame := prototest.Encode(t, json.New, m)
		if text := frame[5:]; !stdjson.Valid(text) || !bytes.HasPrefix(text, []byte(`{"v":1,"seq":-1,`)) {
			t.Errorf("%q: %s", body, text)
		}
		var back message.Message
		if _, err := newProto(t, json.Options{}, proto.Limits{}).CutFrame(frame, &back); err != nil {
			t.Fatal(err)
		}
		if string(back.Body) != body || back.Method != m.Method || back.Meta.Value("k\x7f") != "<v>\n" {
			t.Errorf("got %q, %+v", back.Body, back)
		}
	}
}

// old is what an older writer makes of a message: texts as Go quotes them, in the body
// a backslash before each quote.
func old(method string, codec byte, body string) string {
	return `{"seq":1,"mtype":1,"serviceMethod":` + strconv.Quote(method) +
		`,"status":"{\"code\":0,\"msg\":\"\",\"cause\":\"\"}","meta":"{}","bodyCodec":` + strconv.Itoa(int(codec)) +
		`,"body":"` + strings.ReplaceAll(body, `"`, `\"`) + `"}`
}

// TestOldWritersAreUnderstood, whatever they have in method and body.
func TestOldWritersAreUnderstood(t *testing.T) {
	for _, test := range []struct {
		method string
		codec  byte
		body   string
	}{
		{"/a", 'j', `{"a":"x\"y"}`},
		{"/a", 'j', `{"a":"line\nbreak","b":"c:\\x"}`},
		{"/a", 'j', "{\n\t\"a\": 1\n}"},
		{"/a", 's', "binary \x00\xff\xfe \" \\"},
		{"/a", 's', `ends in \`},
		{"/a", 's', `","body":"`},
		{"/a\a\v\x7f\U000e0001", 'j', `1`},
	} {
		var m message.Message
		frame := framed(old(test.method, test.codec, test.body))
		n, err := newProto(t, json.Options{}, proto.Limits{}).CutFrame(frame, &m)
		if err != nil || n != len(frame) || m.Method != test.method || string(m.Body) != test.body {
			t.Errorf("%q %q: got %q %q, %v", test.method, test.body, m.Method, m.Body, err)
		}
	}
}

// TestClassicFormReadsOldWritersFirst: what can be read in both ways is taken as an
// older writer meant it only by who is told that the peer is one.
func TestClassicFormReadsOldWritersFirst(t *testing.T) {
	frame := framed(old("/a", 'j', `"a\\b"`))
	for classic, want := range map[bool]string{true: `"a\\b"`, false: `"a\b"`} {
		var m message.Message
		if _, err := newProto(t, json.Options{Classic: classic}, proto.Limits{}).CutFrame(frame, &m); err != nil || string(m.Body) != want {
			t.Errorf("classic %v: got %s, %v, want %s", classic, m.Body, err, want)
		}
	}
	frame = prototest.Encode(t, json.New, &message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: 'j', Body: []byte(`"a\\b"`)})
	var m message.Message
	if _, err := newProto(t, json.Options{Classic: true}, proto.Limits{}).CutFrame(frame, &m); err != nil || string(m.Body) != `"a\\b"` {
		t.Errorf("of our kind: got %s, %v", m.Body, err)
	}
}

func TestOthersMayWriteObjects(t *testing.T) {
	var m message.Message
	frame := framed(` {"body":{"a":[1]}, "bodyCodec":106, "meta":{"k":"v"}, "new":{}, "status":{"code":7,"msg":"m"}, "mtype":2, "seq":3} `)
	if _, err := newProto(t, json.Options{}, proto.Limits{}).CutFrame(frame, &m); err != nil {
		t.Fatal(err)
	}
	if string(m.Body) != `{"a":[1]}` || m.Meta.Value("k") != "v" || m.Status == nil || m.Status.Code != 7 || m.Seq != 3 {
		t.Errorf("got %+v", m)
	}
	m = message.Message{}
	if _, err := newProto(t, json.Options{}, proto.Limits{}).CutFrame(framed(`{"seq":1,"mtype":1,"body":null,"meta":null,"status":null}`), &m); err != nil || len(m.Body) > 0 {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestBadTextsAreRefusedWithTheReason(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "the text is no message",
		`[]`:                           "the text is no message",
		`{"seq":1`:                     "the text is no message",
		`{"seq":2147483648}`:           "cannot unmarshal number 2147483648",
		`{"mtype":256}`:                "cannot unmarshal number 256",
		`{"bodyCodec":-1}`:             "cannot unmarshal number -1",
		`{"seq":1,"meta":"[]"}`:        "cannot read metadata",
		`{"seq":1,"status":"7"}`:       "cannot read status",
		"{\"serviceMethod\":\"\xff\"}": "not UTF-8",
		`{"meta":"` + strings.Repeat(" ", 40) + `"}`: "metadata has 40 bytes, the most is 32",
	} {
		n, err := newProto(t, json.Options{}, proto.Limits{Message: 1024, Metadata: 32}).CutFrame(framed(text), new(message.Message))
		if err == nil || n != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %d, %v, want %q", text, n, err, want)
		}
	}
}

func TestBinaryBodyIsRefusedBeforeItIsWritten(t *testing.T) {
	p := newProto(t, json.Options{}, proto.Limits{})
	for _, filters := range []string{"", "z"} {
		dst, err := p.AppendFrame([]byte("before"), &message.Message{Body: []byte("\xff"), Filters: []byte(filters)})
		if !errors.Is(err, json.ErrNotText) || string(dst) != "before" {
			t.Errorf("got %q, %v", dst, err)
		}
	}
}

// FuzzCutFrame: no input panics, and what was read is written and read again as the
// same message.
func FuzzCutFrame(f *testing.F) {
	f.Add(framed(old("/a\a", 'j', `{"a":"x\"y"}`)))
	prototest.Fuzz(f, "jsonproto.json", json.New)
}
