package raw

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// AppendFrame appends m. It refuses a method over 255 bytes, metadata over the
// limit, a frame over the limit, before and after its filters, more than 255 of these
// and unknown ones; a status that is too long is cut.
func (p *Proto) AppendFrame(dst []byte, m *message.Message) ([]byte, error) {
	if len(m.Method) > maxText8 {
		return dst, fmt.Errorf("cannot write a method of %d bytes, the most is %d", len(m.Method), maxText8)
	}
	if len(m.Filters) > maxText8 {
		return dst, fmt.Errorf("cannot write with %d filters, the most is %d", len(m.Filters), maxText8)
	}
	start := len(dst)
	out := append(dst, 0, 0, 0, 0, version, byte(len(m.Filters)))
	out = append(out, m.Filters...)
	out, err := p.appendFiltered(out, m)
	if err != nil {
		return dst, err
	}
	m.Size = len(out) - start
	if limit := p.stream.Limits.Message; limit > 0 && m.Size > limit || int64(m.Size) > 1<<32-1 {
		return dst, fmt.Errorf("cannot write %d bytes, the most is %d: %w", m.Size, limit, proto.ErrTooLarge)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(m.Size))
	return out, nil
}

// appendFiltered appends the payload behind its filters.
func (p *Proto) appendFiltered(dst []byte, m *message.Message) ([]byte, error) {
	if len(m.Filters) == 0 {
		return p.appendPayload(dst, m)
	}
	payload, err := p.appendPayload(nil, m)
	if err != nil {
		return dst, err
	}
	// What its reader would refuse once it is unpacked is not sent.
	if limit := p.stream.Limits.Message; limit > 0 && len(payload) > limit {
		return dst, fmt.Errorf("cannot write %d bytes, the most is %d: %w", len(payload), limit, proto.ErrTooLarge)
	}
	out, err := p.stream.Filters.AppendPack(dst, payload, m.Filters)
	if err != nil {
		return dst, fmt.Errorf("cannot write: %w", err)
	}
	return out, nil
}

func (p *Proto) appendPayload(dst []byte, m *message.Message) ([]byte, error) {
	dst = p.appendSeqToMethod(dst, m)
	dst = p.appendStatus(dst, m.Status)
	dst, err := p.appendMeta(dst, m)
	if err != nil {
		return dst, err
	}
	dst = append(dst, m.Codec)
	return append(dst, m.Body...), nil
}

func (p *Proto) appendSeqToMethod(dst []byte, m *message.Message) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = strconv.AppendInt(dst, int64(m.Seq), 36)
	dst[at] = byte(len(dst) - at - 1)
	dst = append(dst, byte(m.Type), byte(len(m.Method)))
	return append(dst, m.Method...)
}

func (p *Proto) appendStatus(dst []byte, s *status.Status) []byte {
	at := len(dst)
	dst = append(dst, 0, 0)
	if s != nil || p.classic {
		dst = appendStatusText(dst, s)
	}
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-2))
	return dst
}

// appendStatusText leaves out what does not fit in 65535 bytes: first the
// details, then the end of the cause, then the end of the message.
func appendStatusText(dst []byte, s *status.Status) []byte {
	at := len(dst)
	dst = status.AppendText(dst, s)
	if len(dst)-at <= maxText16 {
		return dst
	}
	c := *s
	c.Details = nil
	for _, text := range []*string{&c.Cause, &c.Msg} {
		full := *text
		// Quoting makes a byte up to six times as long, by how much depends on the
		// bytes: halve the room between what fits and what does not.
		fits, over := 0, len(full)
		if dst = status.AppendText(dst[:at], &c); len(dst)-at <= maxText16 {
			return dst
		}
		for fits+1 < over {
			mid := (fits + over) / 2
			*text = cutRunes(full, mid)
			if dst = status.AppendText(dst[:at], &c); len(dst)-at <= maxText16 {
				fits = mid
			} else {
				over = mid
			}
		}
		*text = cutRunes(full, fits)
	}
	return status.AppendText(dst[:at], &c)
}

// cutRunes gives at most n bytes of text and never a part of a rune.
func cutRunes(text string, n int) string {
	if n >= len(text) {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func (p *Proto) appendMeta(dst []byte, m *message.Message) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0, 0)
	dst = m.Meta.AppendText(dst)
	size, most := len(dst)-at-2, maxText16
	if limit := p.stream.Limits.Metadata; limit > 0 {
		most = min(most, limit)
	}
	if size > most {
		return dst, fmt.Errorf("cannot write %d bytes of metadata, the most is %d: %w", size, most, proto.ErrTooLarge)
	}
	binary.BigEndian.PutUint16(dst[at:], uint16(size))
	return dst, nil
}
