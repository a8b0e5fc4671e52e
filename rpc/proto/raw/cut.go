package raw

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// FrameSize gives the frame's size once its first 4 bytes are there. It refuses
// a size that is below the header or above the limit.
func (p *Proto) FrameSize(buf []byte) (int, error) {
	if len(buf) < 4 {
		return 4, nil
	}
	total := int64(binary.BigEndian.Uint32(buf))
	if total < headerSize {
		return 0, fmt.Errorf("total is %d, below the header's %d bytes", total, headerSize)
	}
	if limit := p.stream.Limits.Message; limit > 0 && total > int64(limit) {
		return 0, fmt.Errorf("total is %d, the most is %d: %w", total, limit, proto.ErrTooLarge)
	}
	return int(total), nil
}

// CutFrame reads the frame at the start of buf. An error says which field is
// wrong.
func (p *Proto) CutFrame(buf []byte, m *message.Message) (int, error) {
	total, err := p.FrameSize(buf)
	if err != nil {
		return 0, fmt.Errorf("cannot read frame: %w", err)
	}
	if len(buf) < total {
		return 0, nil
	}
	m.Size = total
	if err := p.parse(buf[:total], m); err != nil {
		return 0, fmt.Errorf("cannot read frame of %d bytes: %w", total, err)
	}
	return total, nil
}

func (p *Proto) parse(frame []byte, m *message.Message) error {
	filters := int(frame[5])
	if headerSize+filters > len(frame) {
		return fmt.Errorf("total is below the %d bytes of header and filters", headerSize+filters)
	}
	m.Filters = frame[headerSize : headerSize+filters]
	payload := frame[headerSize+filters:]
	if filters > 0 {
		var err error
		if payload, err = p.stream.Filters.Unpack(payload, m.Filters, p.stream.Limits.Message); err != nil {
			return err
		}
	}
	return p.parsePayload(payload, m)
}

func (p *Proto) parsePayload(payload []byte, m *message.Message) error {
	f := fields{rest: payload}
	seq := f.short("seq")
	m.Type = message.Type(f.byte("type"))
	method := f.short("method")
	statusText := f.long("status")
	metaText := f.long("metadata")
	m.Codec = f.byte("codec")
	if f.err != nil {
		return f.err
	}
	if string(method) != p.method {
		p.method = string(method)
	}
	m.Method, m.Body = p.method, f.rest
	return p.parseTexts(m, seq, statusText, metaText)
}

func (p *Proto) parseTexts(m *message.Message, seq, statusText, metaText []byte) (err error) {
	if m.Seq, err = parseSeq(seq); err != nil {
		return err
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

func parseSeq(text []byte) (int32, error) {
	if seq, ok := plainSeq(text); ok {
		return seq, nil
	}
	if len(text) > maxSeqSize {
		return 0, fmt.Errorf("seq has %d characters, the most is %d", len(text), maxSeqSize)
	}
	seq, err := strconv.ParseInt(string(text), 36, 32)
	if err != nil {
		return 0, fmt.Errorf("seq %q is no number of base 36 and 32 bits", text)
	}
	return int32(seq), nil
}

// plainSeq reads what most numbers are: few digits and small letters.
func plainSeq(text []byte) (seq int32, ok bool) {
	const safe = 5 // digits that are never too large
	if len(text) == 0 || len(text) > safe {
		return 0, false
	}
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			seq = 36*seq + int32(c-'0')
		case 'a' <= c && c <= 'z':
			seq = 36*seq + int32(c-'a') + 10
		default:
			return 0, false
		}
	}
	return seq, true
}

// fields takes the parts of a payload one after the other and remembers the
// first one that runs past its end.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) byte(name string) byte {
	b := f.take(name, 1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (f *fields) short(name string) []byte {
	if len(f.rest) > 0 && 1+int(f.rest[0]) <= len(f.rest) && f.err == nil {
		end := 1 + int(f.rest[0])
		part := f.rest[1:end]
		f.rest = f.rest[end:]
		return part
	}
	size := f.length(name, 1)
	if len(size) < 1 {
		return nil
	}
	return f.take(name, int(size[0]))
}

func (f *fields) long(name string) []byte {
	if len(f.rest) > 1 && f.err == nil {
		if end := 2 + int(binary.BigEndian.Uint16(f.rest)); end <= len(f.rest) {
			part := f.rest[2:end]
			f.rest = f.rest[end:]
			return part
		}
	}
	size := f.length(name, 2)
	if len(size) < 2 {
		return nil
	}
	return f.take(name, int(binary.BigEndian.Uint16(size)))
}

// length takes the bytes that say how long a field is.
func (f *fields) length(name string, n int) []byte {
	if f.err == nil && n > len(f.rest) {
		name += " length"
	}
	return f.take(name, n)
}

func (f *fields) take(name string, n int) []byte {
	if f.err != nil {
		return nil
	}
	if n > len(f.rest) {
		f.err = fmt.Errorf("%s needs %d bytes, the frame has %d left", name, n, len(f.rest))
		return nil
	}
	part := f.rest[:n]
	f.rest = f.rest[n:]
	return part
}
