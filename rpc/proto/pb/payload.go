package pb

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// The fields, by their numbers.
const (
	fieldSeq    = 1
	fieldType   = 2
	fieldMethod = 3
	fieldStatus = 4
	fieldMeta   = 5
	fieldCodec  = 6
	fieldBody   = 7
)

// The wire types of protocol buffers.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

// payload is the message inside the frame.
type payload struct {
	stream  proto.Stream
	classic bool
}

// AppendPayload refuses metadata over the limit.
func (p *payload) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	dst = appendNumber(dst, fieldSeq, int64(m.Seq))
	dst = appendNumber(dst, fieldType, int64(m.Type))
	if m.Method != "" {
		dst = append(appendLength(dst, fieldMethod, len(m.Method)), m.Method...)
	}
	if m.Status != nil || p.classic {
		text := status.AppendText(nil, m.Status)
		dst = append(appendLength(dst, fieldStatus, len(text)), text...)
	}
	text := m.Meta.AppendText(nil)
	if err := p.stream.Limits.CheckMetadata(len(text)); err != nil {
		return dst, err
	}
	dst = append(appendLength(dst, fieldMeta, len(text)), text...)
	dst = appendNumber(dst, fieldCodec, int64(m.Codec))
	if len(m.Body) > 0 {
		dst = append(appendLength(dst, fieldBody, len(m.Body)), m.Body...)
	}
	return dst, nil
}

func appendNumber(dst []byte, field byte, n int64) []byte {
	if n == 0 {
		return dst
	}
	// Of a negative int32 all 64 bits are written.
	return binary.AppendUvarint(append(dst, field<<3|typeVarint), uint64(n))
}

func appendLength(dst []byte, field byte, n int) []byte {
	return binary.AppendUvarint(append(dst, field<<3|typeBytes), uint64(n))
}

// ParsePayload takes the last of a field that is there twice, as all readers of
// protocol buffers do.
func (p *payload) ParsePayload(text []byte, m *message.Message) (err error) {
	var metaText, statusText []byte
	for len(text) > 0 {
		var f field
		if f, text, err = cutField(text); err != nil {
			return err
		}
		switch f.tag {
		case fieldSeq<<3 | typeVarint:
			m.Seq = int32(f.number)
		case fieldType<<3 | typeVarint:
			m.Type = message.Type(f.number)
			err = f.fitsByte("type")
		case fieldMethod<<3 | typeBytes:
			m.Method = string(f.bytes)
		case fieldStatus<<3 | typeBytes:
			statusText = f.bytes
		case fieldMeta<<3 | typeBytes:
			metaText = f.bytes
		case fieldCodec<<3 | typeVarint:
			m.Codec = byte(f.number)
			err = f.fitsByte("codec")
		case fieldBody<<3 | typeBytes:
			m.Body = f.bytes
		}
		if err != nil {
			return err
		}
	}
	if len(statusText) == 0 {
		p.stream.Peer.MarkOurs()
	}
	if m.Status, err = status.ParseText(statusText); err != nil {
		return err
	}
	if err := p.stream.Limits.CheckMetadata(len(metaText)); err != nil {
		return err
	}
	return m.Meta.ParseText(metaText)
}

// field is one field of a message: a number, or bytes.
type field struct {
	tag    uint64
	number uint64
	bytes  []byte
}

func (f field) fitsByte(name string) error {
	if f.number > math.MaxUint8 {
		return fmt.Errorf("%s is %d, the most is %d", name, int64(f.number), math.MaxUint8)
	}
	return nil
}

// cutField takes one field, known or not, from the start of text.
func cutField(text []byte) (f field, rest []byte, err error) {
	if f.tag, rest, err = cutNumber(text); err != nil {
		return f, nil, err
	}
	if f.tag>>3 == 0 || f.tag > math.MaxUint32 {
		return f, nil, fmt.Errorf("there is a field with tag %d", f.tag)
	}
	size := uint64(0)
	switch f.tag & 7 {
	case typeVarint:
		f.number, rest, err = cutNumber(rest)
		return f, rest, err
	case typeFixed64:
		size = 8
	case typeFixed32:
		size = 4
	case typeBytes:
		if size, rest, err = cutNumber(rest); err != nil {
			return f, nil, err
		}
	default:
		return f, nil, fmt.Errorf("field %d is of type %d, which is unknown", f.tag>>3, f.tag&7)
	}
	if size > uint64(len(rest)) {
		return f, nil, fmt.Errorf("field %d needs %d bytes, the message has %d left", f.tag>>3, size, len(rest))
	}
	f.bytes = rest[:size]
	return f, rest[size:], nil
}

func cutNumber(text []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(text)
	if size <= 0 {
		return 0, nil, fmt.Errorf("a number has no end within %d bytes", min(len(text), binary.MaxVarintLen64))
	}
	return n, text[size:], nil
}
