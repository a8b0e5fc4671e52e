package raw_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/status"
)

func TestDefaultFormLeavesTheStatusOfASuccessEmpty(t *testing.T) {
	m := &message.Message{Seq: 9, Type: message.Reply, Codec: 'j', Body: []byte("6")}
	got := encode(t, raw.Options{}, m)
	if want := "000000120100013902000000" + "00027b7d6a36"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestOnlyAnEmptyStatusShowsAPeerOfOurs(t *testing.T) {
	for _, classic := range []bool{true, false} {
		peer := new(proto.Peer)
		p := raw.New(proto.Stream{Peer: peer}).(*raw.Proto)
		frame := encode(t, raw.Options{Classic: classic}, &message.Message{Seq: 1, Type: message.Call, Method: "/a"})
		if _, err := p.CutFrame(frame, new(message.Message)); err != nil {
			t.Fatal(err)
		}
		if peer.Ours() == classic {
			t.Errorf("classic %v: peer taken as ours: %v", classic, peer.Ours())
		}
	}
}

// A frame of bytes may come in any pieces; none is read before it is complete,
// and nothing of the next one is touched.
func TestCutFrameWaitsForTheWholeFrame(t *testing.T) {
	p := newProto(t, raw.Options{}, proto.Limits{})
	frame := encode(t, raw.Options{}, &message.Message{Seq: 1, Type: message.Call, Method: "/a", Body: []byte("body")})
	for i := range frame {
		if n, err := p.CutFrame(frame[:i], new(message.Message)); n != 0 || err != nil {
			t.Fatalf("with %d of %d bytes: %d, %v", i, len(frame), n, err)
		}
	}
	both := append(append([]byte(nil), frame...), frame...)
	var m message.Message
	if n, err := p.CutFrame(both, &m); n != len(frame) || err != nil || string(m.Body) != "body" {
		t.Errorf("got %d, %v, body %q", n, err, m.Body)
	}
}

func TestBadFramesAreRefusedByTheNameOfTheField(t *testing.T) {
	tests := []struct{ name, frame, want string }{
		{"F3 total 0", "00000000", "total is 0, below the header's 6 bytes"},
		{"F3 total 3", "00000003", "total is 3, below"},
		{"total below header", "00000005 01", "total is 5, below"},
		{"total below filters", "00000006 01 05", "total is below the 11 bytes of header and filters"},
		{"F2 all ones", "ffffffff", "total is 4294967295, the most is 1024"},
		{"unknown filter", "00000007 01 01 3f", "filter '?' is not registered"},
		{"broken filter", "00000007 01 01 7a", "filter gzip: cannot decompress"},
		{"nothing inside", "00000006 01 00", "seq length needs 1 bytes, the frame has 0 left"},
		{"seq past the end", "00000008 01 00 09 31", "seq needs 9 bytes, the frame has 1 left"},
		{"no type", "00000008 01 00 01 31", "type needs 1 bytes"},
		{"method past the end", "0000000b 01 00 01 31 01 ff 2f", "method needs 255 bytes, the frame has 1 left"},
		{"status past the end", "0000000d 01 00 01 31 01 00 ffff 7b", "status needs 65535 bytes, the frame has 1 left"},
		{"metadata length cut", "0000000d 01 00 01 31 01 00 0000 00", "metadata length needs 2 bytes, the frame has 1 left"},
		{"metadata past the end", "0000000f 01 00 01 31 01 00 0000 0005 7b", "metadata needs 5 bytes, the frame has 1 left"},
		{"no codec", "00000010 01 00 01 31 01 00 0000 0002 7b7d", "codec needs 1 bytes"},
		{"empty seq", "00000010 01 00 00 01 00 0000 0002 7b7d 00", `seq "" is no number`},
		{"seq out of range", "00000016 01 00 06 7a696b307a6b 01 00 0000 0002 7b7d 00", `seq "zik0zk" is no number`},
		{"seq too long", "00000018 01 00 08 3030303030303031 01 00 0000 0002 7b7d 00", "seq has 8 characters, the most is 7"},
		{"status no object", "00000012 01 00 01 31 02 00 0001 37 0002 7b7d 00", "cannot read status: not a JSON object"},
		{"metadata no object", "00000011 01 00 01 31 01 00 0000 0002 5b5d 00", "cannot read metadata: not a JSON object"},
		{"metadata cut", "00000010 01 00 01 31 01 00 0000 0001 7b 00", "cannot read metadata"},
	}
	p := newProto(t, raw.Options{}, proto.Limits{Message: 1024})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frame := unhex(t, strings.ReplaceAll(test.frame, " ", ""))
			n, err := p.CutFrame(frame, new(message.Message))
			if err == nil || n != 0 || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d, %v; want %q", n, err, test.want)
			}
		})
	}
}

func TestReaderIsTolerantWhereOlderOnesAre(t *testing.T) {
	tests := []struct {
		name, frame string
		seq         int32
	}{
		{"version 9, upper case seq", "00000012 09 00 02 5a5a 01 00 0000 0002 7b7d 00", 35*36 + 35},
		{"empty metadata", "0000000f 01 00 01 31 01 00 0000 0000 00", 1},
		{"null metadata", "00000013 01 00 01 31 01 00 0000 0004 6e756c6c 00", 1},
		{"null status", "00000015 01 00 01 31 01 00 0004 6e756c6c 0002 7b7d 00", 1},
	}
	p := newProto(t, raw.Options{}, proto.Limits{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frame := unhex(t, strings.ReplaceAll(test.frame, " ", ""))
			var m message.Message
			if n, err := p.CutFrame(frame, &m); err != nil || n != len(frame) {
				t.Fatalf("got %d, %v", n, err)
			}
			if m.Seq != test.seq || m.Status != nil || m.Meta.Len() != 0 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestF37MetadataOver65535IsAnErrorAndNothingIsWritten(t *testing.T) {
	p := newProto(t, raw.Options{}, proto.Limits{Metadata: 1 << 20})
	m := &message.Message{Seq: 1, Type: message.Call, Method: "/a"}
	m.Meta.Set("k", strings.Repeat("v", 65535-len(`{"k":""}`)))
	if _, err := p.AppendFrame(nil, m); err != nil {
		t.Fatalf("65535 bytes: %v", err)
	}
	m.Meta.Set("k", m.Meta.Value("k")+"v")
	dst, err := p.AppendFrame([]byte("before"), m)
	if !errors.Is(err, proto.ErrTooLarge) || string(dst) != "before" {
		t.Errorf("got %q, %v", dst, err)
	}
}

func TestWriterRefusesWhatTheFrameCannotCarry(t *testing.T) {
	tests := []struct {
		name string
		m    message.Message
		want string
	}{
		{"method", message.Message{Method: strings.Repeat("m", 256)}, "method of 256 bytes"},
		{"filter", message.Message{Filters: []byte("z?")}, "cannot write: filter '?' is not registered"},
		{"filters", message.Message{Filters: bytes.Repeat([]byte("5"), 256)}, "256 filters, the most is 255"},
		{"size before the filters", message.Message{Filters: []byte("z"), Body: make([]byte, 1024)}, "the most is 1024"},
		{"size", message.Message{Body: make([]byte, 1024)}, "the most is 1024"},
	}
	p := newProto(t, raw.Options{}, proto.Limits{Message: 1024})
	for _, test := range tests {
		if dst, err := p.AppendFrame(nil, &test.m); err == nil || len(dst) > 0 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %d bytes, %v", test.name, len(dst), err)
		}
	}
}

// A status that does not fit loses its details, the end of its cause, and only
// then the end of its message.
func TestLongStatusIsCutOnARuneBoundary(t *testing.T) {
	long := strings.Repeat("é\"", 40000)
	tests := []struct {
		name     string
		st       status.Status
		wholeMsg bool
	}{
		{"cause", status.Status{Code: 7, Msg: "short", Cause: long}, true},
		{"message", status.Status{Code: 7, Msg: long, Cause: "gone"}, false},
		{"both", status.Status{Code: 7, Msg: long, Cause: long}, false},
		{"details", status.Status{Code: 7, Msg: "short", Cause: "short", Details: []byte(`"` + long[:2] + strings.Repeat("d", 70000) + `"`)}, true},
	}
	p := newProto(t, raw.Options{}, proto.Limits{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			st := test.st
			frame, err := p.AppendFrame(nil, &message.Message{Seq: 1, Type: message.Reply, Status: &st})
			if err != nil {
				t.Fatal(err)
			}
			size := int(binary.BigEndian.Uint16(frame[10:]))
			var m message.Message
			if _, err := p.CutFrame(frame, &m); err != nil {
				t.Fatal(err)
			}
			if test.name != "details" && size < 65535-12 {
				t.Errorf("cut down to %d bytes, more would fit", size)
			}
			if !strings.HasPrefix(test.st.Msg, m.Status.Msg) || !strings.HasPrefix(test.st.Cause, m.Status.Cause) {
				t.Error("what is left is no beginning of the original")
			}
			if (m.Status.Msg == test.st.Msg) != test.wholeMsg || !utf8.ValidString(m.Status.Msg+m.Status.Cause) {
				t.Errorf("message cut to %d of %d bytes, cause to %d of %d",
					len(m.Status.Msg), len(test.st.Msg), len(m.Status.Cause), len(test.st.Cause))
			}
		})
	}
}

func TestPackAndUnpackOnAStream(t *testing.T) {
	var wire bytes.Buffer
	want := []string{"one", "", strings.Repeat("x", 100_000), "four"}
	for i, body := range want {
		p := raw.New(proto.Stream{Writer: &wire})
		if err := p.Pack(&message.Message{Seq: int32(i), Type: message.Push, Method: "/p", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	p := raw.New(proto.Stream{Reader: bufio.NewReader(iotest.OneByteReader(&wire))})
	for i, body := range want {
		var m message.Message
		if err := p.Unpack(&m); err != nil {
			t.Fatal(err)
		}
		if m.Seq != int32(i) || string(m.Body) != body {
			t.Errorf("message %d: got seq %d and %d bytes", i, m.Seq, len(m.Body))
		}
	}
	if err := p.Unpack(new(message.Message)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestUnpackTellsACutFrameFromTheEnd(t *testing.T) {
	frame := encode(t, raw.Options{}, &message.Message{Seq: 1, Type: message.Push, Method: "/p"})
	for i := 1; i < len(frame); i++ {
		p := raw.New(proto.Stream{Reader: bufio.NewReader(bytes.NewReader(frame[:i]))})
		if err := p.Unpack(new(message.Message)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", i, err)
		}
	}
}
