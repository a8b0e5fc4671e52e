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
}

// AppendPayload refuses metadata over the limit, and a body that is not UTF-8.
func (p *Payload) AppendPayload(dst []byte, m *message.Message) ([]byte, error) {
	if !utf8.Valid(m.Body) {
		return dst, fmt.Errorf("the body of %d bytes is not UTF-8: %w", len(m.Body), ErrNotText)
	}
	meta := m.Meta.AppendText(nil)
	if err := envelope.CheckMetadata(p.Stream.Limits, len(meta)); err != nil {
		return dst, err
	}
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
	dst = quote(append(dst, `,"status":`...), string(status.AppendText(nil, m.Status)))
	dst = quote(append(dst, `,"meta":`...), string(meta))
	dst = append(dst, `,"bodyCodec":`...)
	dst = strconv.AppendInt(dst, int64(m.Codec), 10)
	// A quote is the only thing that older writers escape here; where that is enough,
	// it is what JSON wants as well.
	dst = gotext.AppendJSON(append(dst, bodyStart...), string(m.Body))
	return append(dst, '}'), nil
}

// bodyStart is what stands before the body. It cannot be within another string,
// where its quotes would be escaped.
const bodyStart = `,"body":`

// oldBody gives the text of an older writer before its body, which is the last
// member, and the body as it was before its quotes were escaped.
func oldBody(text []byte) (head, body []byte, ok bool) {
	at := bytes.Index(text, []byte(bodyStart+`"`))
	if at < 0 || !bytes.HasSuffix(text, []byte(`"}`)) {
		return nil, nil, false
	}
	from, to := at+len(bodyStart)+1, len(text)-2
	if from > to {
		return nil, nil, false
	}
	return text[:at], bytes.ReplaceAll(text[from:to], []byte(`\"`), []byte(`"`)), true
}
