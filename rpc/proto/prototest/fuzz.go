package prototest

import (
	"bytes"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// Limits are those that fuzz targets work with.
func Limits() proto.Limits { return proto.Limits{Message: 1 << 20, Metadata: 1 << 16} }

// Fuzz is a whole fuzz target around [CheckCut]. Its seeds are the frames of a list and
// whatever else the caller adds.
func Fuzz(f *testing.F, list string, form proto.Factory) {
	for _, v := range Read(f, list) {
		f.Add(v.Frame(f))
	}
	f.Fuzz(func(t *testing.T, in []byte) { CheckCut(t, form, in) })
}

// CheckCut reads the message at the start of in. It must not panic, and what it was read
// as must be written and read again as the same, each by a session of its own, unless
// it is refused.
func CheckCut(t *testing.T, form proto.Factory, in []byte) {
	t.Helper()
	stream := proto.Stream{Limits: Limits(), Filters: Filters(t)}
	var first, second message.Message
	n, err := framer(t, form, stream).CutFrame(in, &first)
	if n < 0 || n > len(in) || err != nil && n != 0 {
		t.Fatalf("cut %d of %d bytes, error %v", n, len(in), err)
	}
	if n == 0 || first.Refusal != nil {
		return
	}
	out, err := framer(t, form, stream).AppendFrame(nil, &first)
	if err != nil {
		return // what others may write and we may not; metadata that becomes longer
	}
	if n, err := framer(t, form, stream).CutFrame(out, &second); err != nil || n != len(out) {
		t.Fatalf("our own frame %x: cut %d, %v", out, n, err)
	}
	if first.Seq != second.Seq || first.Type != second.Type || first.Method != second.Method ||
		first.Codec != second.Codec || !bytes.Equal(first.Body, second.Body) || !bytes.Equal(first.Filters, second.Filters) {
		t.Fatalf("first %+v, second %+v", first, second)
	}
	if !bytes.Equal(first.Meta.AppendText(nil), second.Meta.AppendText(nil)) {
		t.Fatalf("metadata %v became %v", first.Meta, second.Meta)
	}
}

func framer(t testing.TB, form proto.Factory, s proto.Stream) proto.Framer {
	t.Helper()
	f, ok := form(s).(proto.Framer)
	if !ok {
		t.Fatal("the protocol cuts no frames")
	}
	return f
}
