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
// limit, a frame over the limit, and filters; a status that is too long is cut.
func (p *Proto) AppendFrame(dst []byte, m *message.Message) ([]byte, error) {
	if len(m.Method) > maxText8 {
		return dst, fmt.Errorf("cannot write a method of %d bytes, the most is %d", len(m.Method), maxText8)
	}
	if len(m.Filters) > 0 {
		return dst, fmt.Errorf("cannot write with filter %q: it is not registered", m.Filters[0])
	}
	start := len(dst)
	out := append(dst, 0, 0, 0, 0, version, 0)
	out = p.appendSeqToMethod(out, m)
	out = p.appendStatus(out, m.Status)
	out, err := p.appendMeta(out, m)
	if err != nil {
		return dst, err
	}
	out = append(out, m.Codec)
	out = append(out, m.Body...)

	m.Size = len(out) - start
	if limit := p.stream.Limits.Message; limit > 0 && m.Size > limit || m.Size > 1<<32-1 {
		return dst, fmt.Errorf("cannot write %d bytes, the most is %d: %w", m.Size, limit, proto.ErrTooLarge)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(m.Size))
	return out, nil
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
