package prototest

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// Exchange is a CALL and its REPLY.
type Exchange struct {
	Method      string
	Codec       byte
	Call, Reply []byte // bodies
}

// Echo is an exchange of JSON texts of so many bytes.
func Echo(size int) Exchange {
	m := call(size)
	return Exchange{Method: m.Method, Codec: m.Codec, Call: m.Body, Reply: m.Body}
}

// Benchmark measures all that both ends do for it, through memory. It is for protocols
// whose replies depend on the calls before, so that no frame can be taken alone.
func (x Exchange) Benchmark(b *testing.B, form proto.Factory) {
	b.Run(fmt.Sprintf("exchange/%dB", len(x.Call)), func(b *testing.B) {
		w := newWire(b, form)
		b.ReportAllocs()
		for seq := int32(1); b.Loop(); seq++ {
			w.exchange(x, seq)
		}
	})
}

// wire joins the two ends of a connection.
type wire struct {
	t             testing.TB
	near, far     proto.Proto
	sent, got     message.Message
	toNear, toFar bytes.Buffer
}

func newWire(t testing.TB, form proto.Factory) *wire {
	w := &wire{t: t}
	w.near = form(w.end(&w.toNear, &w.toFar))
	w.far = form(w.end(&w.toFar, &w.toNear))
	return w
}

func (w *wire) end(in, out *bytes.Buffer) proto.Stream {
	return proto.Stream{
		Reader: bufio.NewReader(in), Writer: out, Limits: Limits(), Filters: Filters(w.t),
		Interim: func(b []byte) { out.Write(b) },
	}
}

func (w *wire) exchange(x Exchange, seq int32) {
	w.pass(w.near, w.far, message.Message{Seq: seq, Type: message.Call, Method: x.Method, Codec: x.Codec, Body: x.Call})
	if w.got.Type != message.Call || w.got.Method != x.Method {
		w.t.Fatalf("the call came as %+v", w.got)
	}
	w.pass(w.far, w.near, message.Message{Seq: w.got.Seq, Type: message.Reply, Codec: x.Codec, Body: x.Reply})
	if w.got.Type != message.Reply || w.got.Seq != seq || !bytes.Equal(w.got.Body, x.Reply) {
		w.t.Fatalf("the reply to %d came as %+v", seq, w.got)
	}
}

func (w *wire) pass(from, to proto.Proto, m message.Message) {
	w.sent = m
	if err := from.Pack(&w.sent); err != nil {
		w.t.Fatal(err)
	}
	w.got.Reset()
	if err := to.Unpack(&w.got); err != nil {
		w.t.Fatal(err)
	}
}
