package jsonrpc

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/status"
)

// routeCancel is the PUSH with which a peer of ours says, in metadata, which call it
// does not wait for any more.
const (
	reserved    = "/_"
	routeCancel = "/_cancel"
	metaSeq     = "seq"
)

// version is what jsonrpc must be.
const version = `"2.0"`

// CutFrame reads the line at the start of buf; of a batch it takes one message at a
// time. Until it gives a message, buf must start where it did. A line that cannot be
// read is a call that is refused, and only one that is too long is an error.
func (p *Proto) CutFrame(buf []byte, m *message.Message) (int, error) {
	if len(p.queue) > 0 {
		return p.cutQueued(buf, m), nil
	}
	line, err := p.cutLine(buf)
	if err != nil {
		p.refuse(m, codeInvalidRequest, err.Error())
		return 0, fmt.Errorf("cannot read line: %w", err)
	}
	if line == nil {
		return 0, nil
	}
	m.Size = len(line)
	p.read(line, m)
	return m.Size, nil
}

// cutLine gives the line with its end; nil while that is missing.
func (p *Proto) cutLine(buf []byte) ([]byte, error) {
	// A line that comes in many pieces is looked through once.
	from := min(p.scanned, len(buf))
	end := bytes.IndexByte(buf[from:], '\n')
	size := from + end + 1
	if end < 0 {
		size = len(buf)
	}
	if limit := p.stream.Limits.Message; limit > 0 && size > limit {
		return nil, fmt.Errorf("more than %d bytes: %w", limit, proto.ErrTooLarge)
	}
	if end < 0 {
		p.scanned = size
		return nil, nil
	}
	p.scanned = 0
	return buf[:size], nil
}

func (p *Proto) read(line []byte, m *message.Message) {
	text := bytes.Trim(line, " \t\r\n")
	switch {
	case len(text) == 0:
		p.handReply(&object{}, m) // to nobody: an empty line says nothing
	case !utf8.Valid(text):
		p.refuse(m, codeParseError, "the line is not UTF-8")
	case !stdjson.Valid(text):
		p.refuse(m, codeParseError, notJSON(text))
	case text[0] == '[':
		p.readBatch(line, m)
	default:
		e := p.newEntry(text)
		p.hand(&e, m)
	}
}

// notJSON says where; nested deeper than the bound of encoding/json counts as well.
func notJSON(text []byte) string {
	var syntax *stdjson.SyntaxError
	if err := stdjson.Unmarshal(text, new(stdjson.RawMessage)); errors.As(err, &syntax) {
		return fmt.Sprintf("the line is not JSON at byte %d", syntax.Offset)
	}
	return "the line is not JSON"
}

// readBatch finds out how many answers there will be before it hands on the first
// message: a handler can be quicker than the rest of the line.
func (p *Proto) readBatch(line []byte, m *message.Message) {
	count := 0
	for range elements(line) {
		count++
	}
	switch most := p.calls.mostAnswers(); {
	case count == 0:
		p.refuse(m, codeInvalidRequest, "the batch is empty")
		return
	case count > most:
		p.refuse(m, codeInvalidRequest, fmt.Sprintf("the batch has %d entries, the most is %d", count, most))
		return
	}
	line = bytes.Clone(line) // the reader's buffer is not ours between two messages
	queue, answers, from := make([]entry, 0, count), 0, 0
	for end, text := range elements(line) {
		e := p.newEntry(text)
		e.size, from = end-from, end
		if e.needsAnswer() {
			e.place = answers
			answers++
		}
		queue = append(queue, e)
	}
	queue[count-1].size += len(line) - from
	if answers > 0 {
		b := p.calls.newBatch(answers)
		if b == nil {
			p.refuseNow(m, "the batches that wait for their answers hold too much memory")
			return
		}
		for i := range queue {
			if queue[i].needsAnswer() {
				queue[i].batch = b
			}
		}
	}
	p.queue = queue
	p.cutQueued(line, m)
}

// cutQueued hands on the next message of a batch.
func (p *Proto) cutQueued(buf []byte, m *message.Message) int {
	e := &p.queue[0]
	if len(buf) < e.size {
		return 0
	}
	m.Size = e.size
	p.hand(e, m)
	if p.queue = p.queue[1:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return m.Size
}

// hand makes a message of an entry.
func (p *Proto) hand(e *entry, m *message.Message) {
	switch e.kind {
	case reply:
		p.handReply(&e.object, m)
		return
	case invalid:
		p.add(m, e)
		m.Refusal = status.New(status.BadMessage, e.wrong)
		return
	case notification:
		m.Type = message.Push
	case request:
		full := p.calls.full()
		if p.add(m, e); full {
			m.Refusal = status.New(status.Overloaded, "too many calls of this session have no answer yet").WithRetry()
			return
		}
	}
	m.Method, m.Codec = string(unquote(e.method)), codec.IDJSON
	if !isNull(e.params) {
		m.Body = e.params
	}
	if err := m.Meta.ParseText(e.context); err != nil {
		m.Refusal = status.New(status.BadMessage, err.Error()) // it is an object: this cannot be
	}
	p.learn(e, m)
}

// learn notes what a request or notification tells of the peer.
func (p *Proto) learn(e *entry, m *message.Message) {
	switch {
	case e.context == nil:
		p.strict.Store(true)
	case e.kind == notification:
		p.stream.Peer.MarkOurs() // older peers have none, and others no context
	}
	if e.kind == notification && m.Method == routeCancel {
		if seq, ok := plainID([]byte(m.Meta.Value(metaSeq))); ok {
			p.calls.cancelled(seq)
		}
	}
}

// add makes m a call that can be answered.
func (p *Proto) add(m *message.Message, e *entry) {
	id := e.id
	if id == nil {
		id = []byte("null")
	}
	m.Type = message.Call
	m.Seq = p.calls.add(id, asked{plain: e.plain, code: e.code, batch: e.batch, place: e.place})
}

// refuse makes m a call whose id is not known.
func (p *Proto) refuse(m *message.Message, code int, cause string) {
	p.add(m, &entry{plain: !p.classic, code: code})
	m.Refusal = status.New(status.BadMessage, cause)
}

// refuseNow is refuse for what may be tried again.
func (p *Proto) refuseNow(m *message.Message, cause string) {
	p.add(m, &entry{plain: !p.classic})
	m.Refusal = status.New(status.Overloaded, cause).WithRetry()
}

// handReply takes null for the result of a success without one. Only a number of ours
// finds who waits; 0 is nobody's.
func (p *Proto) handReply(o *object, m *message.Message) {
	m.Type = message.Reply
	m.Seq, _ = plainID(o.id)
	if o.context == nil && string(o.version) == version {
		p.strict.Store(true)
	}
	if err := p.readMeta(o.context, m); err != nil {
		m.Meta.Clear()
		m.Status = status.New(status.BadMessage, err.Error())
		return
	}
	if o.failure != nil && !isNull(o.failure) {
		m.Status = p.parseStatus(o.failure)
		return
	}
	m.Codec, m.Body = codec.IDJSON, o.result
	if m.Body == nil {
		m.Body = []byte("null")
	}
}

func (p *Proto) readMeta(context []byte, m *message.Message) error {
	if err := p.stream.Limits.CheckMetadata(len(context)); err != nil {
		return err
	}
	return m.Meta.ParseText(context)
}
