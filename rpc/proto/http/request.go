package http

import (
	"bytes"
	"cmp"
	"maps"
	nethttp "net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

func (p *Proto) unpackRequest(m *message.Message, h *head) error {
	m.Size = h.size
	a, ok := p.enter(m, h)
	if !ok {
		m.Method = h.target
		return nil
	}
	p.catchUp()
	if err := p.expect(m, h); err != nil {
		return p.fail(m, h, err)
	}
	body, err := p.readBody(h)
	m.Size = h.size
	if err != nil {
		return p.fail(m, h, err)
	}
	if err := setType(m, h); err != nil {
		return p.fail(m, h, err)
	}
	m.Refusal = p.fill(m, h, a, body)
	p.settle(m, a)
	return nil
}

// expect answers Expect: 100-continue, when it is the client's turn.
func (p *Proto) expect(m *message.Message, h *head) error {
	limit := p.bodyLimit(h)
	switch {
	case h.expect == "" || h.minor == 0:
		return nil
	case !strings.EqualFold(h.expect, "100-continue"):
		return refusal(nethttp.StatusExpectationFailed, "of the expectations there is 100-continue only")
	case h.length > limit:
		return tooLarge(limit)
	case p.stream.Reader.Buffered() > 0 || !h.chunked && h.length <= 0:
		return nil // it did not wait, or has nothing to wait with
	}
	p.say(m.Seq, "HTTP/1.1 100 Continue\r\n\r\n")
	return nil
}

// say sends what comes before the answer to a request, when everything older has left.
func (p *Proto) say(number int32, text string) {
	var due bytes.Buffer
	p.mu.Lock()
	if p.waiting.Say(&due, number, []byte(text)) != nil {
		due.WriteString(text) // it waits for nothing
	}
	p.mu.Unlock()
	if due.Len() > 0 {
		p.stream.Interim(due.Bytes())
	}
}

func setType(m *message.Message, h *head) error {
	switch h.mtype {
	case message.Undefined:
	case message.Call, message.Push, message.AuthCall:
		m.Type = h.mtype
	default:
		return bad("%v is no request", h.mtype)
	}
	return nil
}

// settle answers a PUSH of who waits for an answer to everything, and makes a CALL of
// what is refused, so that the endpoint answers it.
func (p *Proto) settle(m *message.Message, a asker) {
	switch {
	case m.Refusal != nil:
		m.Filters, m.Body = nil, nil
		if a.waits {
			m.Type = message.Call
		}
	case m.Type == message.Push && a.waits:
		p.acknowledge(m)
	}
}

func (p *Proto) acknowledge(m *message.Message) {
	var due bytes.Buffer
	p.mu.Lock()
	a := p.waiting.Note(m.Seq)
	m.Last = p.closesWith(m.Seq, a)
	p.ending = m.Last
	var answer []byte
	if a.kind == stranger {
		answer = appendHead(nil, statusLine(nethttp.StatusNoContent), strangerFields(a, m.Last))
	}
	_ = p.waiting.Answer(&due, m.Seq, answer) // it was asked, and memory takes all
	p.mu.Unlock()
	if due.Len() > 0 {
		p.stream.Interim(due.Bytes())
	}
}

// fill reads what the message says. What it cannot read is refused, and the session
// goes on.
func (p *Proto) fill(m *message.Message, h *head, a asker, body []byte) *status.Status {
	path, query, ok := cutTarget(h.target)
	if !ok {
		return refusal(status.BadMessage, "the path has an escape that is none")
	}
	m.Method = path
	switch {
	case m.Type == message.AuthCall && a.waits:
		return refusal(status.TypeNotAllowed, "to authenticate takes a peer that numbers its messages")
	case m.Type == message.AuthCall:
		m.Method = "" // some have a slash there
	case m.Type == message.Push && a.waits && strings.HasPrefix(path, controlPrefix):
		return refusal(status.NotFound, "")
	}
	if st := p.unpackBody(m, h, body); st != nil {
		return st
	}
	query, st := fillCodec(m, h, a, query)
	if st != nil {
		return st
	}
	return p.fillMeta(m, h, a, query)
}

// cutTarget gives the path without its escapes, and the query.
func cutTarget(target string) (path, query string, ok bool) {
	if host, full := cutScheme(target); full {
		at := strings.IndexAny(host, "/?")
		if at < 0 {
			at = len(host)
		}
		target = host[at:]
	}
	path, query, _ = strings.Cut(target, "?")
	path, err := url.PathUnescape(path)
	return path, query, err == nil
}

// cutScheme gives what follows the scheme of a full URL.
func cutScheme(target string) (rest string, full bool) {
	for _, scheme := range []string{"http://", "https://"} {
		if rest, full = strings.CutPrefix(target, scheme); full {
			return rest, true
		}
	}
	return target, false
}

// fillCodec finds out what the body is; that of a GET is its query. It gives back the
// query that is metadata.
func fillCodec(m *message.Message, h *head, a asker, query string) (string, *status.Status) {
	switch h.method {
	case nethttp.MethodPost:
	case nethttp.MethodGet, nethttp.MethodHead:
		if query == "" {
			break
		}
		if len(m.Body) > 0 {
			return "", refusal(status.BadMessage, "a %s has a query or a body, not both", h.method)
		}
		m.Codec, m.Body = codec.IDForm, []byte(query)
		return "", nil
	default:
		return "", refusal(status.TypeNotAllowed, "there are GET, HEAD and POST only")
	}
	id, ok := codecOf(h.contentType)
	switch {
	case h.hasType && !ok:
		return "", refusal(nethttp.StatusUnsupportedMediaType, "there is no codec for this type of content")
	case h.hasType:
		m.Codec = id
	case a.kind == stranger && len(m.Body) > 0:
		m.Codec = codec.IDJSON
	}
	return query, nil
}

// fillMeta collects the metadata. Headers count most: proxies set them for whom they let
// through, and what can come as a header comes in no other way.
func (p *Proto) fillMeta(m *message.Message, h *head, a asker, query string) *status.Status {
	if a.kind != stranger {
		if err := unpackMeta(&m.Meta, h.meta); err != nil {
			return refusal(status.BadMessage, "%v", err)
		}
	}
	pairs, err := url.ParseQuery(query)
	if err != nil {
		return refusal(status.BadMessage, "the query: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if values := pairs[name]; a.kind != stranger || !p.isHeader(name) {
			setMeta(m, name, values[len(values)-1])
		}
	}
	p.setHeaders(m, h.foreign, a.kind)
	if a.kind == stranger {
		setAccept(m, h)
	}
	return p.checkMeta(&m.Meta)
}

// setAccept notes which codec the reply shall have. Who asks by a query can seldom read
// another one.
func setAccept(m *message.Message, h *head) {
	id := acceptedCodec(h.accept)
	if id == 0 && h.method != nethttp.MethodPost {
		id = codec.IDJSON
	}
	if id != 0 {
		m.Meta.Set(metaAccept, strconv.Itoa(int(id)))
	}
}

func (p *Proto) checkMeta(meta *message.Meta) *status.Status {
	size := 0
	for name, value := range meta.All() {
		size += len(name) + len(value)
	}
	if limit := p.stream.Limits.Metadata; limit > 0 && size > limit {
		return refusal(nethttp.StatusRequestHeaderFieldsTooLarge, "the metadata has %d bytes, the most is %d", size, limit)
	}
	return nil
}

// isHeader tells of a name that strangers could not set as metadata, or only by a
// header.
func (p *Proto) isHeader(name string) bool {
	_, known := p.headers[strings.ToLower(name)]
	return known || strings.EqualFold(name, metaRealIP)
}

// setHeaders makes metadata of headers: of all that a peer sends, and of those that
// users named for everybody else.
func (p *Proto) setHeaders(m *message.Message, fields []field, from kind) {
	for _, f := range fields {
		lower := strings.ToLower(f.name)
		name, known := p.headers[lower]
		switch {
		case from == stranger && !known:
		case from == stranger:
			setMeta(m, name, joined(m.Meta.Value(name), f.value))
		case from == older && known:
			setMeta(m, name, f.value)
		default:
			setMeta(m, cmp.Or(trueName(lower), f.name), f.value)
		}
	}
}

// setMeta makes sure that metadata is text, as it is in all protocols.
func setMeta(m *message.Message, name, value string) {
	m.Meta.Set(strings.ToValidUTF8(name, "\ufffd"), strings.ToValidUTF8(value, "\ufffd"))
}
