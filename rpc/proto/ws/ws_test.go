package ws_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/ws"
	"github.com/dserver/dserver/rpc/status"
)

func framer(t testing.TB, f proto.Factory, limits proto.Limits) proto.Framer {
	return f(proto.Stream{Limits: limits, Filters: prototest.Filters(t)}).(proto.Framer)
}

// cut reads a frame of that text, all of it.
func cut(t testing.TB, f proto.Factory, text string) *message.Message {
	t.Helper()
	m := new(message.Message)
	frame := sized(text)
	if n, err := framer(t, f, proto.Limits{}).CutFrame(frame, m); err != nil || n != len(frame) {
		t.Fatalf("cut %d of %d bytes: %v", n, len(frame), err)
	}
	return m
}

// TestF38StatusesArrive, in both sub protocols, and only where there is one.
func TestF38StatusesArrive(t *testing.T) {
	for name, f := range map[string]proto.Factory{"json": ws.JSON, "pb": ws.PB} {
		for _, want := range []*status.Status{
			nil,
			{Code: 1001, Msg: "no \"money\"\n", Cause: "é\x07"},
			status.New(status.NotFound, ""),
			status.New(status.Unauthorized, "token").WithRetry(),
		} {
			for _, kind := range []message.Type{message.Reply, message.AuthReply} {
				frame := prototest.Encode(t, f, &message.Message{Seq: 7, Type: kind, Status: want})
				got := cut(t, f, string(frame[4:])).Status
				if (got == nil) != (want == nil) || got.Error() != want.Error() || got != nil && got.Retry != want.Retry {
					t.Errorf("%s %v: got %v, want %v", name, kind, got, want)
				}
				if (want == nil) == (bytes.Contains(frame, []byte("status")) || bytes.Contains(frame, []byte(`"code"`))) {
					t.Errorf("%s: %q", name, frame)
				}
			}
		}
	}
}

// TestClassicFormsHaveNoStatus, which makes a failure a success, as it always was.
func TestClassicFormsHaveNoStatus(t *testing.T) {
	classic := ws.Options{Classic: true}
	m := &message.Message{Seq: 1, Type: message.Reply, Status: status.New(status.NotFound, "")}
	for _, test := range []struct {
		f    proto.Factory
		want string
	}{
		{classic.JSON, `{"seq":1,"mtype":2,"serviceMethod":"","meta":"{}","bodyCodec":0,"body":"","ptf":[]}`},
		{classic.PB, "\x08\x01\x10\x02\x22\x02{}"},
	} {
		if got := prototest.Encode(t, test.f, m); string(got[4:]) != test.want {
			t.Errorf("got %q, want %q", got[4:], test.want)
		}
	}
}

// TestF35BodiesComeBack, to ourselves as JSON of our kind, and from an older writer by
// the reverse of what it does.
func TestF35BodiesComeBack(t *testing.T) {
	for _, body := range []string{``, `{"a":"x\"y"}`, `"c:\\b \n \u2028"`, "\"a\nb\"", "é\x00\x7f\"\\", "\U0001f600", `","ptf":[`, `\`} {
		m := &message.Message{Seq: -1, Type: message.Call, Method: "/a\a\"\\", Codec: 's', Body: []byte(body)}
		m.Meta.Set("k\x7f", "<v>\n")
		frame := prototest.Encode(t, ws.JSON, m)
		if text := frame[4:]; !stdjson.Valid(text) || !bytes.HasPrefix(text, []byte(`{"v":1,"seq":-1,`)) || !bytes.HasSuffix(text, []byte(`,"ptf":[]}`)) {
			t.Errorf("%q: %s", body, text)
		}
		old := `{"seq":-1,"mtype":1,"serviceMethod":` + strconv.Quote(m.Method) + `,"meta":` + strconv.Quote(string(m.Meta.AppendText(nil))) +
			`,"bodyCodec":115,"body":"` + strings.ReplaceAll(body, `"`, `\"`) + `","ptf":[]}`
		for name, text := range map[string]string{"ours": string(frame[4:]), "old": old} {
			back := cut(t, ws.JSON, text)
			if string(back.Body) != body || back.Method != m.Method || back.Meta.Value("k\x7f") != "<v>\n" || back.Codec != 's' {
				t.Errorf("%s %q: got %q, %+v", name, body, back.Body, back)
			}
		}
	}
}

// TestOldJSONBodiesAreChosenByTheirCodec: what can be read in two ways is taken in the
// one that leaves JSON behind the filters.
func TestOldJSONBodiesAreChosenByTheirCodec(t *testing.T) {
	const head, tail = `{"seq":1,"mtype":1,"serviceMethod":"/a","meta":"{}","bodyCodec":106,"body":"`, `","ptf":[]}`
	if m := cut(t, ws.JSON, head+`{\"a\":\"x\ny\"}`+tail); string(m.Body) != `{"a":"x\ny"}` {
		t.Errorf("got %q", m.Body)
	}
	// Proper JSON by others, without "v".
	if m := cut(t, ws.JSON, head+`{\"a\":\"x\\ny\"}`+tail); string(m.Body) != `{"a":"x\ny"}` {
		t.Errorf("got %q", m.Body)
	}
	// An object instead of a text, members in any order, some unknown.
	m := cut(t, ws.JSON, ` {"ptf":null, "new":[], "body":{"a":[1]}, "bodyCodec":106, "status":{"code":7}, "meta":{"k":"v"}, "mtype":2, "seq":3} `)
	if string(m.Body) != `{"a":[1]}` || m.Meta.Value("k") != "v" || status.CodeOf(m.Status) != 7 || m.Seq != 3 {
		t.Errorf("got %+v", m)
	}
}

// TestFiltersActOnTheBodyAlone, and come back in their order.
func TestFiltersActOnTheBodyAlone(t *testing.T) {
	for _, filters := range []string{"5", "z", "a", "5a", "az5"} {
		m := &message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: 's', Body: []byte("body"), Filters: []byte(filters)}
		frame := prototest.Encode(t, ws.PB, m)
		if !bytes.Contains(frame, []byte("/a")) {
			t.Errorf("%s: the method is not to be seen in %q", filters, frame)
		}
		back := cut(t, ws.PB, string(frame[4:]))
		if string(back.Body) != "body" || string(back.Filters) != filters || back.Refusal != nil {
			t.Errorf("%s: got %+v", filters, back)
		}
		if _, err := framer(t, ws.JSON, proto.Limits{}).AppendFrame(nil, m); !errors.Is(err, ws.ErrNotText) {
			t.Errorf("%s in JSON: %v", filters, err)
		}
	}
}

// TestReplyWithoutACodecHasNoBody, for an older caller would wait for ever.
func TestReplyWithoutACodecHasNoBody(t *testing.T) {
	m := &message.Message{Seq: 1, Type: message.Reply, Status: status.New(status.NotFound, ""), Filters: []byte("5?")}
	for _, f := range []proto.Factory{ws.JSON, ws.PB} {
		frame := prototest.Encode(t, f, m)
		if back := cut(t, f, string(frame[4:])); len(back.Body) != 0 || len(back.Filters) != 0 || status.CodeOf(back.Status) != status.NotFound {
			t.Errorf("got %+v", back)
		}
	}
}

// TestBodyBehindUnknownFiltersCostsItsMessage alone: a call and a push are refused, a
// reply is a failure, and all say why.
func TestBodyBehindUnknownFiltersCostsItsMessage(t *testing.T) {
	const jsonText = `{"seq":1,"mtype":#,"serviceMethod":"/a","meta":"{}","bodyCodec":106,"body":"1","ptf":[63]}`
	many := "[" + strings.Repeat("63,", 255) + "63]"
	for _, test := range []struct {
		f          proto.Factory
		text, want string
	}{
		{ws.JSON, jsonText, `filter '?' is not registered`},
		{ws.JSON, strings.Replace(jsonText, "[63]", "[53]", 1), "filter md5"},
		{ws.JSON, strings.Replace(jsonText, "[63]", many, 1), "256 filters, the most is 255"},
		{ws.PB, "\x10#\x28j\x32\x011\x3a\x01?", `filter '?' is not registered`},
		{ws.PB, "\x10#\x28j\x32\x011\x3a\x015", "filter md5"},
	} {
		for _, kind := range []message.Type{message.Call, message.Push, message.Reply} {
			number := string(rune(kind))
			if test.text[0] == '{' {
				number = string('0' + rune(kind))
			}
			m := cut(t, test.f, strings.Replace(test.text, "#", number, 1))
			st := m.Refusal
			if kind == message.Reply {
				st = m.Status
			}
			if status.CodeOf(st) != status.BadMessage || !strings.Contains(st.Cause, test.want) || m.Body != nil {
				t.Errorf("%v %q: got %+v", kind, test.text, m)
			}
		}
		text := strings.Replace(test.text, "#", "4", 1)
		if test.text[0] != '{' {
			text = strings.Replace(test.text, "#", "\x04", 1)
		}
		if _, err := framer(t, test.f, proto.Limits{}).CutFrame(sized(text), new(message.Message)); err == nil {
			t.Errorf("an authentication of %q", test.text)
		}
	}
}

func TestBombIsRefused(t *testing.T) {
	m := &message.Message{Seq: 1, Type: message.Call, Method: "/a", Codec: 's', Body: make([]byte, 1<<20), Filters: []byte("z")}
	frame := prototest.Encode(t, ws.PB, m)
	limits := proto.Limits{Message: 64 << 10}
	var back message.Message
	if _, err := framer(t, ws.PB, limits).CutFrame(frame, &back); err != nil || !errors.Is(back.Refusal, proto.ErrTooLarge) {
		t.Errorf("got %v, %v", back.Refusal, err)
	}
	if _, err := framer(t, ws.PB, limits).AppendFrame(nil, m); !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("wrote what no reader takes: %v", err)
	}
}

// TestAutoWritesWhatItsPeerDoes.
func TestAutoWritesWhatItsPeerDoes(t *testing.T) {
	m := &message.Message{Seq: 1, Type: message.Push, Method: "/a"}
	jsonFrame, pbFrame := prototest.Encode(t, ws.JSON, m), prototest.Encode(t, ws.PB, m)
	for agreed, first := range map[string][]byte{"": jsonFrame, ws.SubprotocolJSON: jsonFrame, ws.SubprotocolPB: pbFrame} {
		p := ws.Auto(proto.Stream{Subprotocol: agreed}).(proto.Framer)
		writes := func(want []byte) {
			t.Helper()
			if got, err := p.AppendFrame(nil, m); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%q: wrote %q, want %q", agreed, got, want)
			}
		}
		writes(first)
		for _, frame := range [][]byte{pbFrame, jsonFrame, pbFrame} {
			var got message.Message
			if n, err := p.CutFrame(frame, &got); err != nil || n != len(frame) || got.Method != "/a" {
				t.Fatalf("cut %d, %+v, %v", n, got, err)
			}
			writes(frame)
		}
	}
}

// TestPBReadsWhatAutoWritesFirst and stays with what it writes.
func TestPBReadsWhatAutoWritesFirst(t *testing.T) {
	m := &message.Message{Seq: 1, Type: message.Push, Method: "/a"}
	p := framer(t, ws.PB, proto.Limits{})
	var got message.Message
	if _, err := p.CutFrame(prototest.Encode(t, ws.Auto, m), &got); err != nil || got.Method != "/a" {
		t.Errorf("got %+v, %v", got, err)
	}
	if out, err := p.AppendFrame(nil, m); err != nil || !bytes.Equal(out, prototest.Encode(t, ws.PB, m)) {
		t.Errorf("wrote %q, %v", out, err)
	}
}

// TestPeersOfOursAreKnown by what older ones never write.
func TestPeersOfOursAreKnown(t *testing.T) {
	classic := ws.Options{Classic: true}
	refused := &message.Message{Type: message.Reply, Status: status.New(status.NotFound, "")}
	for _, test := range []struct {
		name       string
		write, own proto.Factory
		m          *message.Message
		ours       bool
	}{
		{"json", ws.JSON, ws.JSON, new(message.Message), true},
		{"classic json", classic.JSON, ws.JSON, refused, false},
		{"pb success", ws.PB, ws.PB, new(message.Message), false},
		{"pb failure", ws.PB, ws.PB, refused, true},
		{"classic pb", classic.PB, ws.PB, refused, false},
	} {
		peer := new(proto.Peer)
		p := test.own(proto.Stream{Peer: peer}).(proto.Framer)
		if _, err := p.CutFrame(prototest.Encode(t, test.write, test.m), new(message.Message)); err != nil || peer.Ours() != test.ours {
			t.Errorf("%s: ours %v, %v", test.name, peer.Ours(), err)
		}
	}
}

func TestBadFramesAreRefusedWithTheReason(t *testing.T) {
	limits := proto.Limits{Message: 1024, Metadata: 32}
	for _, test := range []struct {
		f          proto.Factory
		text, want string
	}{
		{ws.JSON, ``, "the text is no message"},
		{ws.JSON, `[]`, "the text is no message"},
		{ws.JSON, `{"seq":1`, "the text is no message"},
		{ws.JSON, `{"ptf":[256]}`, "cannot read the filters"},
		{ws.JSON, `{"ptf":{}}`, "cannot read the filters"},
		{ws.JSON, `{"status":"7"}`, "cannot read status"},
		{ws.JSON, `{"meta":"` + strings.Repeat(" ", 40) + `"}`, "metadata has 40 bytes, the most is 32"},
		{ws.PB, "\x80", "a number has no end"},
		{ws.PB, "\x22\x02[]", "cannot read metadata"},
		{ws.PB, "\x42\x017", "cannot read status"},
		{ws.JSON, "\x08\x01", "the text is no message"},
		{ws.Auto, `{"seq":`, "the text is no message"},
		{ws.Auto, "", "the text is no message"},
		{ws.Auto, "\x80", "a number has no end"},
		{ws.PB, strings.Repeat("x", 1025), "1025 bytes, the most is 1024"},
	} {
		n, err := framer(t, test.f, limits).CutFrame(sized(test.text), new(message.Message))
		if err == nil || n != 0 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %d, %v, want %q", test.text, n, err, test.want)
		}
	}
}

func TestWriterRefusesWhatItsReaderWould(t *testing.T) {
	long := message.Message{}
	long.Meta.Set("k", strings.Repeat("v", 32))
	for name, f := range map[string]proto.Factory{"json": ws.JSON, "pb": ws.PB} {
		p := framer(t, f, proto.Limits{Message: 1024, Metadata: 32})
		for _, test := range []struct {
			m    message.Message
			want string
		}{
			{message.Message{Body: make([]byte, 1024)}, "the most is 1024"},
			{message.Message{Body: make([]byte, 1025), Filters: []byte("z")}, "the most is 1024"},
			{long, "metadata has 40 bytes"},
			{message.Message{Filters: []byte("?")}, "filter '?' is not registered"},
			{message.Message{Filters: bytes.Repeat([]byte("5"), 256)}, "256 filters"},
		} {
			dst, err := p.AppendFrame([]byte("before"), &test.m)
			if err == nil || string(dst) != "before" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %q, %v, want %q", name, dst, err, test.want)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	for want, f := range map[string]proto.Factory{ws.NameJSON: ws.JSON, ws.NamePB: ws.PB, ws.NameAuto: ws.Auto} {
		if id, name := f(proto.Stream{}).Version(); id != 'w' || name != want {
			t.Errorf("got %q %s, want %s", id, name, want)
		}
	}
}
