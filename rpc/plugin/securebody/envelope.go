package securebody

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/dserver/dserver/rpc/codec"
)

// envelope is a body that is encrypted. The names are those of older peers.
type envelope struct {
	CipherVersion string `json:"cipherVersion"`
	Ciphertext    string `json:"ciphertext"`
}

func newEnvelope(version string, text []byte) envelope {
	return envelope{version, base64.StdEncoding.EncodeToString(text)}
}

// encode gives the bytes of the envelope in a codec, which marshals structures if it can.
func (e envelope) encode(id byte, marshal func(v any) ([]byte, error)) []byte {
	if id == codec.IDProtobuf {
		return e.appendFields(nil)
	}
	if b, err := marshal(e); err == nil {
		return b
	}
	return []byte(e.CipherVersion + " " + e.Ciphertext)
}

var errEnvelope = errors.New("the body is not that of an encrypted message")

// decodeEnvelope reads what encode wrote, or an older peer; text is what was in base64.
func decodeEnvelope(id byte, b []byte, unmarshal func(b []byte, v any) error) (version string, text []byte, err error) {
	var e envelope
	if id == codec.IDProtobuf {
		err = e.parseFields(b)
	} else if err = unmarshal(b, &e); err != nil {
		var ok bool
		if e.CipherVersion, e.Ciphertext, ok = strings.Cut(string(b), " "); ok {
			err = nil
		}
	}
	if err != nil || e.CipherVersion == "" {
		return "", nil, errEnvelope
	}
	if text, err = base64.StdEncoding.DecodeString(e.Ciphertext); err != nil {
		return "", nil, errors.New("the text is not in base64")
	}
	return e.CipherVersion, text, nil
}

// The fields of the envelope as a message of protocol buffers, both with a length.
const (
	tagVersion    = 1<<3 | typeBytes
	tagCiphertext = 2<<3 | typeBytes

	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

func (e envelope) appendFields(dst []byte) []byte {
	for _, f := range []struct {
		tag  byte
		text string
	}{{tagVersion, e.CipherVersion}, {tagCiphertext, e.Ciphertext}} {
		if f.text != "" {
			dst = binary.AppendUvarint(append(dst, f.tag), uint64(len(f.text)))
			dst = append(dst, f.text...)
		}
	}
	return dst
}

// parseFields skips fields that it does not know, as readers of protocol buffers do.
func (e *envelope) parseFields(b []byte) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return errEnvelope
		}
		b = b[n:]
		size, n := fieldSize(tag, b)
		if n < 0 || size > uint64(len(b)-n) {
			return errEnvelope
		}
		text := string(b[n : n+int(size)])
		b = b[n+int(size):]
		switch tag {
		case tagVersion:
			e.CipherVersion = text
		case tagCiphertext:
			e.Ciphertext = text
		}
	}
	return nil
}

// fieldSize gives how many bytes a field has, and how many of the length come before; -1
// for what is no field.
func fieldSize(tag uint64, b []byte) (size uint64, before int) {
	switch tag & 7 {
	case typeVarint:
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, -1
		}
		return uint64(n), 0
	case typeFixed64:
		return 8, 0
	case typeFixed32:
		return 4, 0
	case typeBytes:
		size, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, -1
		}
		return size, n
	default:
		return 0, -1
	}
}
