package jsonmessage

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/internal/gotext"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/envelope"
	"github.com/dserver/dserver/rpc/status"
)

// ErrNotText is what AppendPayload wraps when a body is not UTF-8.
var ErrNotText = errors.New("JSON carries UTF-8 only")

// Payload is the text of a message; it is for the package envelope.
type Payload struct {
	Stream proto.Stream
	// Classic is the form of older writers, see the package json.
	Classic bool
	// Websocket has a status only if that is no success, never in the classic form, and
	// filters that act on the body alone: their ids follow it.
	Websocket bool
}

// AppendPayload refuses metadata over the limit, and a body that is not UTF-8, or not
// any more behind its filters.
func (p *Payload) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	body, filters := m.Body, []byte(nil)
	if p.Websocket {
		var err error
		if body, filters, err = envelope.PackBody(p.Stream, m); err != nil {
			return dst, err
		}
	}
	if !utf8.Valid(body) {
		return dst, fmt.Errorf("the body of %d bytes is not UTF-8: %w", len(body), ErrNotText)
	}
	meta := m.Meta.AppendText(nil)
	if err := p.Stream.Limits.CheckMetadata(len(meta)); err != nil {
		return dst, err
	}
	dst = p.appendHeader(dst, m, string(meta))
	// A quote is the only thing that older writers escape here; where that is enough,
	// it is what JSON wants as well.
	dst = gotext.AppendJSON(append(dst, bodyStart...), string(body))
	if p.Websocket {
		dst = appendFilters(dst, filters)
	}
	return append(dst, '}'), nil
}

// appendHeader appends what stands before the body.
func (p *Payload) appendHeader(dst []byte, m *message.Message, meta string) []byte {
	quote := gotext.AppendJSON
	if p.Classic {
		quote = gotext.AppendQuoted
		dst = append(dst, `{"seq":`...)
	} else {
		dst = append(dst, `{"v":1,"seq":`...)
	}
	dst = strconv.AppendInt(dst, int64(m.Seq), 10)
	dst = append(dst, `,"mtype":`...)
	dst = strconv.AppendInt(dst, int64(m.Type), 10)
	dst = quote(append(dst, `,"serviceMethod":`...), m.Method)
	if !p.Websocket || m.Status != nil && !p.Classic {
		dst = quote(append(dst, `,"status":`...), string(status.AppendText(nil, m.Status)))
	}
	dst = quote(append(dst, `,"meta":`...), meta)
	dst = append(dst, `,"bodyCodec":`...)
	return strconv.AppendInt(dst, int64(m.Codec), 10)
}

func appendFilters(dst, ids []byte) []byte {
	dst = append(dst, filtersStart...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(id), 10)
	}
	return append(dst, ']')
}

// What stands before the body and after it. It cannot be within another string, where
// its quotes would be escaped; within the body of an older writer it can.
const (
	bodyStart    = `,"body":`
	filtersStart = `,"ptf":[`
)

// oldBody gives the text of an older writer without its body, which is the last member
// or the last but the filters, and the body as it was before its quotes were escaped.
func (p *Payload) oldBody(text []byte) (rest, body []byte, ok bool) {
	from := bytes.Index(text, []byte(bodyStart+`"`))
	to := len(text) - len(`"}`)
	if p.Websocket {
		to = bytes.LastIndex(text, []byte(`"`+filtersStart))
	}
	start := from + len(bodyStart+`"`)
	if from < 0 || to < start || !p.Websocket && !bytes.HasSuffix(text, []byte(`"}`)) {
		return nil, nil, false
	}
	rest = append(bytes.Clone(text[:from]), text[to+1:]...)
	return rest, bytes.ReplaceAll(text[start:to], []byte(`\"`), []byte(`"`)), true
}
