package jsonrpc

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/internal/gotext"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

const (
	open    = `{"jsonrpc":"2.0"`
	lineEnd = "\r\n"
)

// AppendFrame appends a line. The answer to a call in a batch appends nothing until it
// is the last one, and then the line of all. It refuses what no line can say: a body
// that is not JSON, filters, and a PUSH to who is not known to take it.
func (p *Proto) AppendFrame(dst []byte, m *message.Message) ([]byte, error) {
	out, err := p.appendMessage(dst, m)
	if err != nil {
		return dst, fmt.Errorf("cannot write: %w", err)
	}
	m.Size = len(out) - len(dst)
	return out, nil
}

func (p *Proto) appendMessage(dst []byte, m *message.Message) ([]byte, error) {
	if err := p.checkCarried(m); err != nil {
		return dst, err
	}
	if m.Type == message.Reply {
		return p.appendReply(dst, m)
	}
	if m.Type == message.Call {
		p.called.Store(true)
	}
	out := p.appendRequest(dst, m)
	return out, p.checkSize(len(out) - len(dst))
}

func (p *Proto) checkSize(size int) error {
	if limit := p.stream.Limits.Message; limit > 0 && size > limit {
		return fmt.Errorf("%d bytes, the most is %d: %w", size, limit, proto.ErrTooLarge)
	}
	return nil
}

// checkCarried refuses what the protocol has no place for.
func (p *Proto) checkCarried(m *message.Message) error {
	if len(m.Filters) > 0 && !p.classic {
		return fmt.Errorf("the message has filters %q: %w", m.Filters, ErrFiltered)
	}
	switch m.Type {
	case message.Call, message.Reply:
	case message.Push:
		if !p.takes(m.Method) {
			return fmt.Errorf("PUSH to %s: %w", m.Method, ErrNotCarried)
		}
	default:
		return fmt.Errorf("%v: %w", m.Type, ErrNotCarried)
	}
	if m.Meta.Len() > 0 {
		if err := p.stream.Limits.CheckMetadata(len(m.Meta.AppendText(nil))); err != nil {
			return err
		}
	}
	switch {
	case len(m.Body) == 0:
		return nil
	case m.Codec != codec.IDJSON:
		return fmt.Errorf("the body has codec %d: %w", m.Codec, ErrNotJSON)
	case !utf8.Valid(m.Body) || !stdjson.Valid(m.Body):
		return fmt.Errorf("the body of %d bytes is none: %w", len(m.Body), ErrNotJSON)
	}
	return nil
}

// takes tells whether the peer is known to take a notification. Our additions are
// nothing to other peers, even to those that do.
func (p *Proto) takes(method string) bool {
	switch {
	case p.classic:
		return false
	case p.stream.Peer.Ours():
		return true
	default:
		return p.strict.Load() && !strings.HasPrefix(method, reserved)
	}
}

// appendRequest writes a CALL, or a PUSH as one without id.
func (p *Proto) appendRequest(dst []byte, m *message.Message) []byte {
	dst = gotext.AppendHTML(append(dst, open+`,"method":`...), m.Method)
	switch {
	case len(m.Body) > 0:
		dst = appendOneLine(append(dst, `,"params":`...), m.Body)
	case !p.strict.Load():
		dst = append(dst, `,"params":null`...) // what older readers are used to, and others must not get
	}
	if m.Type == message.Call {
		dst = strconv.AppendInt(append(dst, `,"id":`...), int64(m.Seq), 10)
	}
	dst = m.Meta.AppendText(append(dst, `,"context":`...))
	return append(dst, "}"+lineEnd...)
}

// appendReply answers a call as its caller wants it.
func (p *Proto) appendReply(dst []byte, m *message.Message) ([]byte, error) {
	a := p.calls.lookup(m.Seq)
	if a.batch != nil {
		return p.calls.answer(dst, m.Seq, func(most int) ([]byte, error) { return p.appendAnswer(nil, m, a, most) })
	}
	most := math.MaxInt
	if limit := p.stream.Limits.Message; limit > 0 {
		most = limit - len(lineEnd)
	}
	out, err := p.appendAnswer(dst, m, a, most)
	if err != nil {
		return dst, err
	}
	p.calls.remove(m.Seq)
	return append(out, lineEnd...), nil
}

// appendAnswer writes a reply of most bytes. An error that has more is told by its code
// alone, because the caller must be told something.
func (p *Proto) appendAnswer(dst []byte, m *message.Message, a asked, most int) ([]byte, error) {
	out := p.appendObject(dst, m, a)
	if len(out)-len(dst) > most && m.Status != nil {
		short := message.Message{Seq: m.Seq, Status: status.New(m.Status.Code, "")}
		out = p.appendObject(dst, &short, a)
	}
	if size := len(out) - len(dst); size > most {
		return dst, fmt.Errorf("%d bytes, the most is %d: %w", size, most, proto.ErrTooLarge)
	}
	return out, nil
}

func (p *Proto) appendObject(dst []byte, m *message.Message, a asked) []byte {
	dst = append(dst, open...)
	switch {
	case a.plain && m.Status != nil:
		dst = appendPlainError(append(dst, `,"error":`...), m.Status, a.code)
		dst = appendID(dst, m.Seq, a)
	case a.plain:
		dst = appendResult(dst, m.Body)
		dst = appendID(dst, m.Seq, a)
	case m.Status != nil:
		dst = m.Meta.AppendText(append(appendID(dst, m.Seq, a), `,"context":`...))
		dst = p.appendError(append(dst, `,"error":`...), m.Status)
	default:
		dst = appendResult(appendID(dst, m.Seq, a), m.Body)
		dst = m.Meta.AppendText(append(dst, `,"context":`...))
	}
	return append(dst, '}')
}

func appendID(dst []byte, seq int32, a asked) []byte {
	dst = append(dst, `,"id":`...)
	if a.id != "" {
		return append(dst, a.id...)
	}
	return strconv.AppendInt(dst, int64(seq), 10)
}

func appendResult(dst, body []byte) []byte {
	dst = append(dst, `,"result":`...)
	if len(body) == 0 {
		return append(dst, "null"...)
	}
	return appendOneLine(dst, body)
}

// appendOneLine appends JSON, which may have ends of lines between its values.
func appendOneLine(dst, text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 {
		return append(dst, text...)
	}
	var out bytes.Buffer
	_ = stdjson.Compact(&out, text) // it is JSON
	return append(dst, out.Bytes()...)
}
