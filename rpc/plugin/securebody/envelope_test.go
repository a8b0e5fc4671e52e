package securebody

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/dserver/dserver/rpc/codec"
)

var errNoStruct = errors.New("no structures")

func noStruct(any) ([]byte, error)       { return nil, errNoStruct }
func noStructBack(b []byte, v any) error { return errNoStruct }

func TestEnvelopeInEveryCodec(t *testing.T) {
	text := []byte("\x00\xff text")
	e := newEnvelope("gcm1:a", text)
	for _, test := range []struct {
		name      string
		id        byte
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
		want      string
	}{
		{"json", codec.IDJSON, json.Marshal, json.Unmarshal, `{"cipherVersion":"gcm1:a","ciphertext":"AP8gdGV4dA=="}`},
		{"protobuf", codec.IDProtobuf, noStruct, noStructBack, "\x0a\x06gcm1:a\x12\x0cAP8gdGV4dA=="},
		{"plain", codec.IDPlain, noStruct, noStructBack, "gcm1:a AP8gdGV4dA=="},
	} {
		b := e.encode(test.id, test.marshal)
		if string(b) != test.want {
			t.Errorf("%s: %q", test.name, b)
		}
		version, got, err := decodeEnvelope(test.id, b, test.unmarshal)
		if err != nil || version != "gcm1:a" || !bytes.Equal(got, text) {
			t.Errorf("%s: got %q, %q, %v", test.name, version, got, err)
		}
	}
}

func TestEnvelopeThatIsNone(t *testing.T) {
	for _, b := range []string{"", "{}", "7", "null", `{"cipherVersion":""}`, `{"ciphertext":"AAAA"}`, `{"cipherVersion":"a","ciphertext":"!"}`, `{"cipherVersion":"a","ciphertext":"AAA"}`, `[1,2,3]`, " "} {
		if version, text, err := decodeEnvelope(codec.IDJSON, []byte(b), json.Unmarshal); err == nil {
			t.Errorf("%q: got %q, %q", b, version, text)
		}
	}
	for _, h := range []string{"", "0a", "0a05", "0a0561", "12", "ff", "0b", "0c", "0aff", "0affffffffffffffffff01", "0affffffffffffffffffff01", "12020a00", "09aaaaaaaaaaaaaa", "0daaaaaa", "08"} {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if version, text, err := decodeEnvelope(codec.IDProtobuf, b, noStructBack); err == nil {
			t.Errorf("%s: got %q, %q", h, version, text)
		}
	}
}

func TestEnvelopeSkipsFieldsThatAreNotKnown(t *testing.T) {
	b, err := hex.DecodeString("08ff01" + "1d01020304" + "190102030405060708" + "2203616263" + "0a0161" + "0a0162" + "1204" + hex.EncodeToString([]byte("AAAA")) + "f87f01")
	if err != nil {
		t.Fatal(err)
	}
	version, text, err := decodeEnvelope(codec.IDProtobuf, b, noStructBack)
	if err != nil || version != "b" || !bytes.Equal(text, make([]byte, 3)) {
		t.Errorf("got %q, %q, %v", version, text, err)
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	e := newEnvelope("gcm1:a", []byte("text"))
	for _, id := range []byte{codec.IDJSON, codec.IDProtobuf, codec.IDPlain} {
		f.Add(id, e.encode(id, json.Marshal))
	}
	f.Add(codec.IDProtobuf, []byte("\x08\xff\x01\x0a\x01a"))
	f.Add(codec.IDPlain, []byte("a AAAA"))
	f.Fuzz(func(t *testing.T, id byte, b []byte) {
		version, text, err := decodeEnvelope(id, b, json.Unmarshal)
		if err != nil {
			return
		}
		if version == "" {
			t.Fatal("no version and no error")
		}
		again := newEnvelope(version, text).encode(codec.IDProtobuf, nil)
		if v, txt, err := decodeEnvelope(codec.IDProtobuf, again, nil); err != nil || v != version || !bytes.Equal(txt, text) {
			t.Fatalf("%q, %q became %q, %q, %v", version, text, v, txt, err)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add(head{plainReply: true, sender: senderID{1, 2}, counter: 3, time: 4}.append(nil))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, ok := parseHead(b)
		if ok && !bytes.Equal(append(h.append(nil), rest...), b) {
			t.Fatalf("%x became %+v and %x", b, h, rest)
		}
	})
}
