package redis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/internal/inorder"
	"github.com/dserver/dserver/rpc/status"
)

// ErrNotCarried is what AppendFrame wraps for a message that RESP has no form for:
// control messages, filters, a push to a peer that has not said HELLO 3, and calls of a
// peer that has sent commands itself.
var ErrNotCarried = errors.New("RESP cannot carry it")

// Pack writes what AppendFrame appends.
func (p *Proto) Pack(m *message.Message) error {
	frame, err := p.AppendFrame(p.frame[:0], m)
	if err != nil {
		return err
	}
	if p.frame = frame; cap(frame) > maxKept {
		p.frame = nil
	}
	_, err = p.stream.Writer.Write(frame)
	return err
}

// AppendFrame appends what may be written now: of an answer, nothing while an older
// command waits, and with the last of these all that waited. Metadata is left out. The
// results of two calls must be written in the order of the calls.
func (p *Proto) AppendFrame(dst []byte, m *message.Message) ([]byte, error) {
	if len(m.Filters) > 0 {
		return dst, fmt.Errorf("cannot write with filters: %w", ErrNotCarried)
	}
	write := p.appendAnswer
	switch m.Type {
	case message.Reply:
	case message.Call:
		write = p.appendCall
	case message.Push:
		write = p.appendPush
	default:
		return dst, fmt.Errorf("cannot write a message of type %v: %w", m.Type, ErrNotCarried)
	}
	out, err := write(dst, m)
	if err != nil {
		return dst, fmt.Errorf("cannot write: %w", err)
	}
	return out, nil
}

// setSize compares the frame out[from:] with the limit.
func (p *Proto) setSize(m *message.Message, out []byte, from int) error {
	if m.Size = len(out) - from; m.Size > p.most {
		return fmt.Errorf("%d bytes, the most is %d: %w", m.Size, p.most, proto.ErrTooLarge)
	}
	return nil
}

func (p *Proto) appendAnswer(dst []byte, m *message.Message) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.calls.Note(m.Seq)
	if n == nil {
		return nil, fmt.Errorf("command %d: %w", m.Seq, inorder.ErrNotAsked)
	}
	answer, err := p.encode(p.answer[:0], m, *n)
	if err == nil {
		err = p.setSize(m, answer, 0)
	}
	if err != nil {
		return nil, err
	}
	if p.answer = answer; cap(answer) > maxKept {
		p.answer = nil
	}
	if n.version != 0 {
		if m.Status == nil {
			p.version.Store(n.version)
		}
		p.asking--
	}
	out := appender{dst}
	err = p.calls.Answer(&out, m.Seq, answer)
	return out.b, err
}

// appender is a writer that appends.
type appender struct{ b []byte }

func (a *appender) Write(b []byte) (int, error) {
	a.b = append(a.b, b...)
	return len(b), nil
}

func (p *Proto) encode(dst []byte, m *message.Message, n note) ([]byte, error) {
	switch {
	case m.Status == nil && n.version != 0:
		return appendReply(dst, m.Body, n.version)
	case m.Status == nil:
		return appendReply(dst, m.Body, p.version.Load())
	case m.Status.Code == status.NotFound && m.Status.Cause == "":
		return appendLine(dst, KindError, "ERR unknown command "+n.text), nil
	default:
		return appendLine(dst, KindError, errorText(m.Status)), nil
	}
}

// appendPush writes the method without the prefix, and then what the body holds.
func (p *Proto) appendPush(dst []byte, m *message.Message) ([]byte, error) {
	switch {
	case p.side.Load() != server:
		return nil, fmt.Errorf("a push to a server: %w", ErrNotCarried)
	case p.version.Load() < 3:
		return nil, fmt.Errorf("a push to a client that has not said HELLO 3: %w", ErrNotCarried)
	case strings.HasPrefix(m.Method, "/_"):
		return nil, fmt.Errorf("control message %s: %w", m.Method, ErrNotCarried)
	}
	items, count, err := listItems(m.Body)
	if err != nil {
		return nil, err
	}
	out := appendInteger(dst, KindPush, int64(1+count))
	out = appendBulk(out, KindBulk, strings.TrimPrefix(m.Method, p.prefix))
	out = append(out, items...)
	return out, p.setSize(m, out, len(dst))
}

// listItems gives the values in a body that is a list, or the one value that it is.
func listItems(body []byte) (items []byte, count int, err error) {
	switch {
	case len(body) == 0:
		return nil, 0, nil
	case body[0] == '[':
		args, err := parseArgs(body)
		for _, arg := range args {
			items = appendBulk(items, KindBulk, arg)
		}
		return items, len(args), err
	}
	value, err := appendReply(nil, body, 3)
	if err != nil {
		return nil, 0, err
	}
	t, size, err := next(value, len(value))
	if err == nil && (t.kind == KindArray || t.kind == KindSet) {
		return value[size:], t.count, nil
	}
	return value, 1, err
}
