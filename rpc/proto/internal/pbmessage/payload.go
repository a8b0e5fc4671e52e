package pbmessage

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/status"
)

// The wire types of protocol buffers.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

// Payload is the bytes of a message; it is for the package envelope.
type Payload struct {
	Stream proto.Stream
	Layout Layout
	// Classic writes the bytes of older writers: the status of a success in full, or no
	// status at all where filters act on the body alone.
	Classic bool
}

// bodyFilters tells whether filters act on the body alone. Older writers of these
// protocols know no status: it comes last, and only if it is no success.
func (p *Payload) bodyFilters() bool { return p.Layout.Filters != 0 }

// AppendPayload refuses metadata over the limit.
func (p *Payload) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	body, filters := m.Body, []byte(nil)
	if p.bodyFilters() {
		var err error
		if body, filters, err = envelope.PackBody(p.Stream, m); err != nil {
			return dst, err
		}
	}
	meta := m.Meta.AppendText(nil)
	if err := p.Stream.Limits.CheckMetadata(len(meta)); err != nil {
		return dst, err
	}
	dst = appendNumber(dst, p.Layout.Seq, int64(m.Seq))
	dst = appendNumber(dst, p.Layout.Type, int64(m.Type))
	if m.Method != "" {
		dst = appendBytes(dst, p.Layout.Method, m.Method)
	}
	if !p.bodyFilters() && (m.Status != nil || p.Classic) {
		dst = appendBytes(dst, p.Layout.Status, status.AppendText(nil, m.Status))
	}
	dst = appendBytes(dst, p.Layout.Meta, meta)
	dst = appendNumber(dst, p.Layout.Codec, int64(m.Codec))
	if len(body) > 0 {
		dst = appendBytes(dst, p.Layout.Body, body)
	}
	if len(filters) > 0 {
		dst = appendBytes(dst, p.Layout.Filters, filters)
	}
	if p.bodyFilters() && m.Status != nil && !p.Classic {
		dst = appendBytes(dst, p.Layout.Status, status.AppendText(nil, m.Status))
	}
	return dst, nil
}

// number and length give the tag of a field.
func number(field byte) uint64 { return uint64(field)<<3 | typeVarint }
func length(field byte) uint64 { return uint64(field)<<3 | typeBytes }

func appendNumber(dst []byte, field byte, n int64) []byte {
	if n == 0 {
		return dst
	}
	// Of a negative int32 all 64 bits are written.
	return binary.AppendUvarint(append(dst, field<<3|typeVarint), uint64(n))
}

func appendBytes[T string | []byte](dst []byte, field byte, b T) []byte {
	dst = binary.AppendUvarint(append(dst, field<<3|typeBytes), uint64(len(b)))
	return append(dst, b...)
}

// pieces are the fields that are read when all are there.
type pieces struct{ status, meta, body, filters []byte }

// ParsePayload takes the last of a field that is there twice, as all readers of
// protocol buffers do.
func (p *Payload) ParsePayload(b []byte, m *message.Message) (err error) {
	var late pieces
	for len(b) > 0 {
		var f field
		if f, b, err = cutField(b); err != nil {
			return err
		}
		if err := p.take(f, m, &late); err != nil {
			return err
		}
	}
	// Older writers always write a status, or never.
	if (len(late.status) > 0) == p.bodyFilters() {
		p.Stream.Peer.MarkOurs()
	}
	if m.Status, err = status.ParseText(late.status); err != nil {
		return err
	}
	if err := p.Stream.Limits.CheckMetadata(len(late.meta)); err != nil {
		return err
	}
	if err := m.Meta.ParseText(late.meta); err != nil {
		return err
	}
	if p.bodyFilters() {
		return envelope.UnpackBody(p.Stream, m, late.body, late.filters)
	}
	m.Body = late.body
	return nil
}

func (p *Payload) take(f field, m *message.Message, late *pieces) error {
	switch f.tag {
	case number(p.Layout.Seq):
		m.Seq = int32(f.number)
	case number(p.Layout.Type):
		m.Type = message.Type(f.number)
		return f.fitsByte("type")
	case length(p.Layout.Method):
		m.Method = string(f.bytes)
	case length(p.Layout.Status):
		late.status = f.bytes
	case length(p.Layout.Meta):
		late.meta = f.bytes
	case number(p.Layout.Codec):
		m.Codec = byte(f.number)
		return f.fitsByte("codec")
	case length(p.Layout.Body):
		late.body = f.bytes
	case length(p.Layout.Filters):
		late.filters = f.bytes
	}
	return nil
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
