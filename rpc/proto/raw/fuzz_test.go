package raw_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
)

// FuzzCutFrame: no input panics, and what was read is written and read again as
// the same message.
func FuzzCutFrame(f *testing.F) {
	file, err := os.ReadFile("testdata/rawproto.json")
	if err != nil {
		f.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(file, &list); err != nil {
		f.Fatal(err)
	}
	for _, v := range list {
		if b, err := hex.DecodeString(v.Hex); err == nil {
			f.Add(b)
		}
	}
	limits := proto.Limits{Message: 1 << 20, Metadata: 1 << 16}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newProto(raw.Options{}, limits)
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
