package prototest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// call is a CALL with a JSON text of so many bytes as its body.
func call(size int) *message.Message {
	body := `"` + strings.Repeat("b", size-2) + `"`
	return &message.Message{Seq: 123456, Type: message.Call, Method: "/math/add", Codec: 'j', Body: []byte(body)}
}

// Benchmark measures how a protocol whose frames are not about one another appends and
// cuts those of calls, by the size of the body, and with metadata.
func Benchmark(b *testing.B, form proto.Factory) {
	sizes := map[string]*message.Message{"64B": call(64), "581B": call(581), "64KiB": call(64 << 10), "581B-meta": call(581)}
	sizes["581B-meta"].Meta.Set("X-Timeout-Ms", "1000")
	sizes["581B-meta"].Meta.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	for _, name := range []string{"64B", "581B", "581B-meta", "64KiB"} {
		w := newFrames(b, form, sizes[name])
		b.Run("append/"+name, func(b *testing.B) { w.measure(b, w.append) })
		b.Run("cut/"+name, func(b *testing.B) { w.measure(b, w.cut) })
	}
}

// Allocations checks that appending a CALL of 581 bytes without metadata to a buffer with
// room, and cutting it, allocate no more often than that.
func Allocations(t *testing.T, form proto.Factory, appending, cutting float64) {
	w := newFrames(t, form, call(581))
	for _, test := range []struct {
		name string
		most float64
		f    func(testing.TB)
	}{{"appending", appending, w.append}, {"cutting", cutting, w.cut}} {
		if n := testing.AllocsPerRun(1000, func() { test.f(t) }); n > test.most {
			t.Errorf("%s a frame allocates %v times, the most is %v", test.name, n, test.most)
		}
	}
}

// frames appends and cuts one frame again and again, each by a session of its own.
type frames struct {
	near, far proto.Framer
	m, got    *message.Message
	frame     []byte
	buf       []byte // with room for it
}

func newFrames(t testing.TB, form proto.Factory, m *message.Message) *frames {
	t.Helper()
	stream := proto.Stream{Limits: Limits(), Filters: Filters(t)}
	w := &frames{near: framer(t, form, stream), far: framer(t, form, stream), m: m, got: new(message.Message)}
	var err error
	if w.frame, err = w.near.AppendFrame(nil, m); err != nil {
		t.Fatal(err)
	}
	w.buf = make([]byte, 0, 2*len(w.frame))
	w.append(t)
	w.cut(t)
	if w.got.Method != m.Method || !bytes.Equal(w.got.Body, m.Body) || w.got.Meta.Len() != m.Meta.Len() {
		t.Fatalf("got %+v of %+v", w.got, m)
	}
	return w
}

func (w *frames) append(t testing.TB) {
	if out, err := w.near.AppendFrame(w.buf, w.m); err != nil || len(out) != len(w.frame) {
		t.Fatalf("appended %d of %d bytes, %v", len(out), len(w.frame), err)
	}
}

func (w *frames) cut(t testing.TB) {
	w.got.Reset()
	if n, err := w.far.CutFrame(w.frame, w.got); err != nil || n != len(w.frame) {
		t.Fatalf("cut %d of %d bytes, %v", n, len(w.frame), err)
	}
}

func (w *frames) measure(b *testing.B, f func(testing.TB)) {
	b.ReportAllocs()
	for b.Loop() {
		f(b)
	}
}
