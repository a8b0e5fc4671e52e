package ws_test

import (
	"bytes"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/ws"
)

func FuzzJSON(f *testing.F) {
	seeds(f, "ws_json_subproto.json")
	f.Add([]byte(`{"seq":1,"mtype":1,"serviceMethod":"/a\a","meta":"{}","bodyCodec":106,"body":"{\"a\":\"x\"y\"}","ptf":[]}`))
	f.Add([]byte(`{"mtype":1,"body":"","ptf":[63,63]}`))
	f.Fuzz(func(t *testing.T, text []byte) { roundTrip(t, ws.JSON, text, bytes.HasPrefix(text, []byte("{"))) })
}

func FuzzPB(f *testing.F) {
	seeds(f, "ws_pb_subproto.json")
	f.Add([]byte("\x10\x01\x32\x011\x3a\x01?\x42\x0c{\"code\":404}"))
	f.Fuzz(func(t *testing.T, text []byte) { roundTrip(t, ws.PB, text, true) })
}

func seeds(f *testing.F, list string) {
	for _, v := range prototest.Read(f, list) {
		if frame := v.Frame(f); len(frame) < 4096 {
			f.Add(frame)
		}
	}
}

// roundTrip: no text panics, Auto understands the same where the first byte tells, and
// what was read is written and read again as the same message.
func roundTrip(t *testing.T, f proto.Factory, text []byte, tells bool) {
	limits := proto.Limits{Message: 1 << 20, Metadata: 1 << 16}
	p, in := framer(t, f, limits), sized(text)
	var first, auto, second message.Message
	n, err := p.CutFrame(in, &first)
	if n != 0 && n != len(in) || err != nil && n != 0 {
		t.Fatalf("cut %d of %d bytes, error %v", n, len(in), err)
	}
	if nAuto, _ := framer(t, ws.Auto, limits).CutFrame(in, &auto); tells && (nAuto != n || auto.Type != first.Type) {
		t.Fatalf("auto read %d bytes, %+v, not %d, %+v", nAuto, auto, n, first)
	}
	if n == 0 || first.Refusal != nil {
		return
	}
	out, err := p.AppendFrame(nil, &first)
	if err != nil {
		return // metadata that becomes longer, or binary in JSON
	}
	if n, err := p.CutFrame(out, &second); err != nil || n != len(out) {
		t.Fatalf("our own frame %q: cut %d, %v", out, n, err)
	}
	if first.Seq != second.Seq || first.Type != second.Type || first.Method != second.Method ||
		first.Codec != second.Codec || !bytes.Equal(first.Body, second.Body) {
		t.Fatalf("first %+v, second %+v", first, second)
	}
	if first.Status.Error() != second.Status.Error() || !bytes.Equal(first.Meta.AppendText(nil), second.Meta.AppendText(nil)) {
		t.Fatalf("status %v, %v; metadata %v, %v", first.Status, second.Status, first.Meta, second.Meta)
	}
}
