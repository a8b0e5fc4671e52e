package docs_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/http"
	"github.com/dserver/dserver/rpc/proto/json"
	"github.com/dserver/dserver/rpc/proto/jsonrpc"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/prototest"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/proto/redis"
	"github.com/dserver/dserver/rpc/proto/ws"
)

// wireProto is a protocol as docs/wire.md names it.
type wireProto struct {
	now proto.Factory // as the endpoint writes; nil: its vectors are read, and not compared
	old proto.Factory // as older peers write
	has []string      // what the page must show of it, as vector.kinds names it
	// sized is a protocol that lives in frames of another one, such as websocket: by
	// itself it has 4 bytes of size before what the page shows.
	sized bool
}

func wireProtos() map[string]wireProto {
	all := []string{"CALL", "REPLY", "REPLY of an error", "PUSH", "AUTH_CALL", "AUTH_REPLY", "filtered", "old", "refused"}
	calls := []string{"CALL", "REPLY", "REPLY of an error"}
	return map[string]wireProto{
		"raw":     {now: raw.New, old: raw.Options{Classic: true}.New, has: all},
		"json":    {now: json.New, old: json.Options{Classic: true}.New, has: all},
		"pb":      {now: pb.New, old: pb.Options{Classic: true}.New, has: all},
		"jsonrpc": {now: jsonrpc.New, old: jsonrpc.Options{Classic: true}.New, has: append(calls[:3:3], "PUSH", "old")},
		"http":    {now: http.New, old: http.Options{Classic: true}.New, has: append(calls[:3:3], "PUSH", "filtered", "old")},
		"ws-json": {now: ws.JSON, old: ws.Options{Classic: true}.JSON, has: append(calls[:3:3], "PUSH", "AUTH_CALL", "AUTH_REPLY", "old", "refused"), sized: true},
		"ws-pb":   {now: ws.PB, old: ws.Options{Classic: true}.PB, has: all, sized: true},
		"redis":   {now: redis.New, has: calls},
	}
}

// TestWireVectors checks every vector of the page against the protocol itself.
func TestWireVectors(t *testing.T) {
	protos := wireProtos()
	shown := make(map[string][]string)
	var before vector
	for _, v := range vectors(t, "docs/wire.md") {
		p, ok := protos[v.proto]
		if !ok {
			t.Fatalf("%s:%d: there is no protocol %s", v.page, v.line, v.proto)
		}
		if p.sized {
			v.bytes = append(binary.BigEndian.AppendUint32(nil, uint32(len(v.bytes))), v.bytes...)
		}
		shown[v.proto] = append(shown[v.proto], v.kinds()...)
		t.Run(fmt.Sprintf("%s/%d", v.proto, v.line), func(t *testing.T) {
			if p.now == nil {
				t.Log("the protocol is not here yet")
				return
			}
			v.check(t, p, before)
		})
		before = v
	}
	for _, name := range slices.Sorted(maps.Keys(protos)) {
		for _, kind := range protos[name].has {
			if !slices.Contains(shown[name], kind) {
				t.Errorf("the page shows no %s of %s", kind, name)
			}
		}
	}
}

// kinds says what the vector is an example of.
func (v *vector) kinds() (list []string) {
	if v.way == "refused" {
		return []string{"refused"}
	}
	name := v.want.Type.String()
	if v.want.Type == message.Reply && v.want.Status != nil {
		name += " of an error"
	}
	list = append(list, name)
	if v.way == "old" {
		list = append(list, "old")
	}
	if len(v.want.Filters) > 0 {
		list = append(list, "filtered")
	}
	return list
}

// check does what the way of the vector promises.
func (v *vector) check(t *testing.T, p wireProto, before vector) {
	switch v.way {
	case "both":
		newWireEnd(t, p.now).writes(t, v)
		newWireEnd(t, p.now).reads(t, v)
	case "old":
		newWireEnd(t, p.old).writes(t, v)
		newWireEnd(t, p.now).reads(t, v)
	case "read":
		newWireEnd(t, p.now).reads(t, v)
	case "answer":
		server := newWireEnd(t, p.now)
		v.want.Seq = server.reads(t, &before).Seq
		server.writes(t, v)
		if before.way == "both" {
			client := newWireEnd(t, p.now)
			client.writes(t, &before)
			client.reads(t, v)
		}
	case "refused":
		newWireEnd(t, p.now).refuses(t, v)
	default:
		t.Fatalf("%s:%d: there is no way %s", v.page, v.line, v.way)
	}
}

// wireEnd is one end of a session.
type wireEnd struct {
	proto   proto.Proto
	reader  *bufio.Reader // of in
	in, out bytes.Buffer
}

func newWireEnd(t *testing.T, factory proto.Factory) *wireEnd {
	e := new(wireEnd)
	e.reader = bufio.NewReader(&e.in)
	e.proto = factory(proto.Stream{
		Reader: e.reader, Writer: &e.out, Peer: new(proto.Peer), Filters: prototest.Filters(t),
		Limits: proto.Limits{Message: 16 << 20, Metadata: 64 << 10},
	})
	return e
}

func (e *wireEnd) writes(t *testing.T, v *vector) {
	t.Helper()
	m := v.want
	e.out.Reset()
	if err := e.proto.Pack(&m); err != nil {
		t.Fatalf("%s:%d: %v", v.page, v.line, err)
	}
	if !bytes.Equal(e.out.Bytes(), v.bytes) {
		t.Errorf("%s:%d: it writes\n%x\n%q, the page says\n%x\n%q", v.page, v.line, e.out.Bytes(), e.out.Bytes(), v.bytes, v.bytes)
	}
}

func (e *wireEnd) reads(t *testing.T, v *vector) *message.Message {
	t.Helper()
	e.in.Write(v.bytes)
	m := new(message.Message)
	if err := e.proto.Unpack(m); err != nil {
		t.Fatalf("%s:%d: %v", v.page, v.line, err)
	}
	if what := v.differs(m); what != "" {
		t.Errorf("%s:%d: it reads %s", v.page, v.line, what)
	}
	if n := e.reader.Buffered() + e.in.Len(); n > 0 {
		t.Errorf("%s:%d: %d bytes are left", v.page, v.line, n)
	}
	return m
}

// refuses expects an error, and not that more bytes are waited for.
func (e *wireEnd) refuses(t *testing.T, v *vector) {
	t.Helper()
	e.in.Write(v.bytes)
	m := new(message.Message)
	err := e.proto.Unpack(m)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%s:%d: read as %+v, %v", v.page, v.line, m, err)
	}
}
