package pb_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/pb"
	"github.com/dserver/dserver/rpc/proto/prototest"
)

func newProto(t testing.TB, limits proto.Limits) proto.Framer {
	return pb.New(proto.Stream{Limits: limits, Filters: prototest.Filters(t)}).(proto.Framer)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDefaultFormLeavesOutTheStatusOfASuccess(t *testing.T) {
	m := &message.Message{Seq: -2, Type: message.Reply, Codec: 'j', Body: []byte("6")}
	got := prototest.Encode(t, pb.New, m)
	if want := unhex(t, "00000017 00 08 feffffffffffffffff01 1002 2a02 7b7d 306a 3a01 36"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	var back message.Message
	if _, err := newProto(t, proto.Limits{}).CutFrame(got, &back); err != nil || back.Seq != -2 {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestOnlyAnAbsentStatusShowsAPeerOfOurs(t *testing.T) {
	for _, classic := range []bool{true, false} {
		peer := new(proto.Peer)
		p := pb.New(proto.Stream{Peer: peer}).(proto.Framer)
		frame := prototest.Encode(t, pb.Options{Classic: classic}.New, &message.Message{Seq: 1, Type: message.Call, Method: "/a"})
		if _, err := p.CutFrame(frame, new(message.Message)); err != nil {
			t.Fatal(err)
		}
		if peer.Ours() == classic {
			t.Errorf("classic %v: peer taken as ours: %v", classic, peer.Ours())
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	for _, unknown := range []string{"", "7d 01020304", "c23e 03 616263", "41 0102030405060708", "78 ffffffffffffffffff01", "0a 01 78"} {
		text := unhex(t, "0801 1001 1a02 2f61 2a02 7b7d"+unknown+"306a")
		frame := append([]byte{0, 0, 0, byte(len(text) + 1), 0}, text...)
		var m message.Message
		if n, err := newProto(t, proto.Limits{}).CutFrame(frame, &m); err != nil || n != len(frame) || m.Seq != 1 || m.Method != "/a" || m.Codec != 'j' {
			t.Errorf("with %q: cut %d, got %+v, %v", unknown, n, m, err)
		}
	}
}

func TestBadFramesAreRefusedWithTheReason(t *testing.T) {
	for _, test := range []struct{ name, frame, want string }{
		{"size 0", "00000000", "size is 0"},
		{"too large", "00000401", "1025 bytes, the most is 1024"},
		{"filters past the end", "00000001 01", "below the 2 of its filters"},
		{"unknown filter", "00000002 01 3f", "filter '?' is not registered"},
		{"broken filter", "00000002 01 35", "filter md5"},
		{"a tag without an end", "00000002 00 80", "a number has no end within 1 bytes"},
		{"a number of 11 bytes", "0000000d 00 08 ffffffffffffffffffff01", "a number has no end within 10 bytes"},
		{"field 0", "00000003 00 0001", "tag 0"},
		{"a field past the end", "00000004 00 3a05 78", "field 7 needs 5 bytes, the message has 1 left"},
		{"a length of 64 bits", "0000000c 00 3a ffffffffffffffffff01", "field 7 needs 18446744073709551615 bytes"},
		{"a group", "00000002 00 0b", "field 1 is of type 3"},
		{"a type of two bytes", "00000004 00 108002", "type is 256"},
		{"a negative codec", "0000000c 00 30 ffffffffffffffffff01", "codec is -1"},
		{"metadata is no object", "00000005 00 2a02 5b5d", "cannot read metadata"},
		{"metadata over the limit", "00000028 00 2a25" + strings.Repeat("20", 37), "metadata has 37 bytes, the most is 32"},
		{"status is no object", "00000004 00 2201 37", "cannot read status"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, err := newProto(t, proto.Limits{Message: 1024, Metadata: 32}).CutFrame(unhex(t, test.frame), new(message.Message))
			if err == nil || n != 0 || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d, %v; want %q", n, err, test.want)
			}
		})
	}
}

func TestWriterRefusesWhatItsReaderWould(t *testing.T) {
	p := newProto(t, proto.Limits{Message: 1024, Metadata: 32})
	long := message.Message{}
	long.Meta.Set("k", strings.Repeat("v", 32))
	for _, test := range []struct {
		m    message.Message
		want string
		is   error
	}{
		{message.Message{Body: make([]byte, 1024)}, "the most is 1024", proto.ErrTooLarge},
		{message.Message{Body: make([]byte, 1024), Filters: []byte("z")}, "the most is 1024", proto.ErrTooLarge},
		{long, "metadata has 40 bytes", proto.ErrTooLarge},
		{message.Message{Filters: []byte("?")}, "filter '?' is not registered", nil},
		{message.Message{Filters: bytes.Repeat([]byte("5"), 256)}, "256 filters", nil},
	} {
		dst, err := p.AppendFrame([]byte("before"), &test.m)
		if err == nil || string(dst) != "before" || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("got %q, %v, want %q", dst, err, test.want)
		}
	}
}

// FuzzCutFrame: no input panics, and what was read is written and read again as the
// same message.
func FuzzCutFrame(f *testing.F) {
	prototest.Fuzz(f, "pbproto.json", pb.New)
}
