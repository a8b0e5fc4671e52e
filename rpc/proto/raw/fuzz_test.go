package raw_test

import (
	"bytes"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// FuzzCutFrame: no input panics, and what was read is written and read again as
// the same message.
func FuzzCutFrame(f *testing.F) {
	for _, v := range prototest.Read(f, "rawproto.json") {
		f.Add(v.Frame(f))
	}
	limits := proto.Limits{Message: 1 << 20, Metadata: 1 << 16}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newProto(t, raw.Options{}, limits)
		var first message.Message
		n, err := p.CutFrame(in, &first)
		if n < 0 || n > len(in) || (err != nil && n != 0) {
			t.Fatalf("cut %d of %d bytes, error %v", n, len(in), err)
		}
		if n == 0 {
			return
		}
		out, err := p.AppendFrame(nil, &first)
		if err != nil {
			return // metadata can become longer by escaping
		}
		var second message.Message
		if n, err := p.CutFrame(out, &second); err != nil || n != len(out) {
			t.Fatalf("our own frame %x: cut %d, %v", out, n, err)
		}
		if first.Seq != second.Seq || first.Type != second.Type || first.Method != second.Method ||
			first.Codec != second.Codec || !bytes.Equal(first.Body, second.Body) {
			t.Fatalf("first %+v, second %+v", first, second)
		}
		if !bytes.Equal(first.Meta.AppendText(nil), second.Meta.AppendText(nil)) {
			t.Fatalf("metadata %v became %v", first.Meta, second.Meta)
		}
	})
}
