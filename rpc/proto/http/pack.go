package http

import (
	"cmp"
	"errors"
	"fmt"
	nethttp "net/http"
	"slices"
	"strconv"

	"github.com/dserver/dserver/rpc/filter"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// ErrPlain is what Pack wraps when the peer is a plain HTTP client, which takes nothing
// but answers.
var ErrPlain = errors.New("a plain HTTP client takes answers only")

// Pack writes a request or a reply. The answer to a plain client may be held back until
// those before it are there.
func (p *Proto) Pack(m *message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(p.frame) > keptBody {
		p.frame = nil
	}
	var err error
	switch m.Type {
	case message.Call, message.Push, message.AuthCall:
		err = p.packRequest(m)
	case message.Reply, message.AuthReply:
		err = p.packReply(m)
	default:
		err = fmt.Errorf("a message of type %d (%v) has no form", m.Type, m.Type)
	}
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	return nil
}

func (p *Proto) packRequest(m *message.Message) error {
	if m.Type == message.Push && m.Method == routeGoaway {
		p.goaway = &goaway{m: *m}
		p.goaway.m.Meta = m.Meta.Clone()
		if !p.tellsGoaway() {
			return nil
		}
	}
	if p.plain {
		return fmt.Errorf("%v: %w", m.Type, ErrPlain)
	}
	if err := p.appendRequest(m); err != nil {
		return err
	}
	p.asked.add(m.Seq)
	_, err := p.stream.Writer.Write(p.frame)
	return err
}

// tellsGoaway tells whether the peer can be told now. It must have shown that it
// understands.
func (p *Proto) tellsGoaway() bool {
	if p.goaway == nil || p.goaway.told || p.plain || p.peer == stranger {
		return false
	}
	p.goaway.told = true
	return true
}

// catchUp tells the peer what the endpoint said before it was known.
func (p *Proto) catchUp() {
	p.mu.Lock()
	var frame []byte
	if p.tellsGoaway() && p.appendRequest(&p.goaway.m) == nil {
		frame = slices.Clone(p.frame)
	}
	p.mu.Unlock()
	if frame != nil {
		p.stream.Interim(frame)
	}
}

// appendRequest makes the frame.
func (p *Proto) appendRequest(m *message.Message) error {
	target, host, err := p.targetOf(m.Method)
	if err != nil {
		return err
	}
	agent := ourAgent
	if p.options.Classic {
		agent = oldAgent
	}
	fields := append(p.numbers(m, m.Seq), field{"User-Agent", agent})
	if host != "" {
		fields = append(fields, field{"Host", host})
	}
	if _, ok := p.stream.Filters.Lookup(filter.IDGzip); ok || p.options.Classic {
		fields = append(fields, field{"Accept-Encoding", gzipName})
	}
	if fields, err = p.appendType(fields, m, "text/plain;charset=utf-8"); err != nil {
		return err
	}
	first := nethttp.MethodPost + " " + target + " HTTP/1.1"
	return p.appendFrame(m, frame{first, fields, m.Body, m.Filters, false})
}

// numbers are the headers that only peers look at. Older readers know X-MType alone,
// whatever older writers write.
func (p *Proto) numbers(m *message.Message, seq int32) []field {
	name := "X-MType"
	if p.options.Classic && (m.Type == message.Call || m.Type == message.Reply) {
		name = "X-Mtype"
	}
	return []field{{name, strconv.Itoa(int(m.Type))}, {"X-Seq", strconv.Itoa(int(seq))}}
}

// appendType says what the body is. Older writers say that what they have no type for
// is a text, which it can be while there is nothing of it.
func (p *Proto) appendType(fields []field, m *message.Message, otherwise string) ([]field, error) {
	name := mediaType(m.Codec)
	switch {
	case name != "":
		name += ";charset=utf-8"
	case p.options.Classic && len(m.Body) > 0:
		return fields, fmt.Errorf("older peers have no type of content for codec %d", m.Codec)
	case p.options.Classic:
		name = otherwise
	case m.Codec != 0:
		name = customType + strconv.Itoa(int(m.Codec))
	default:
		return fields, nil
	}
	return append(fields, field{"Content-Type", name}), nil
}

// frame is what a message is written as.
type frame struct {
	first   string // line
	fields  []field
	body    []byte
	filters []byte
	bare    bool // the body is left out
}

// appendFrame puts the frame together and refuses what its reader would refuse.
func (p *Proto) appendFrame(m *message.Message, f frame) error {
	limits := p.stream.Limits
	if limits.Message > 0 && len(f.body) > limits.Message {
		return fmt.Errorf("the body has %d bytes, the most is %d: %w", len(f.body), limits.Message, proto.ErrTooLarge)
	}
	if err := p.checkText(&m.Meta); err != nil {
		return err
	}
	if err := p.compress(&f); err != nil {
		return err
	}
	fields := append(f.fields, field{"Content-Length", strconv.Itoa(len(f.body))})
	out := appendHead(p.frame[:0], f.first, appendMeta(fields, &m.Meta))
	if most := p.headLimit(); most > 0 && len(out) > most {
		return fmt.Errorf("the head has %d bytes, the most is %d: %w", len(out), most, proto.ErrTooLarge)
	}
	if size := len(out) + len(f.body); limits.Message > 0 && size > limits.Message {
		return fmt.Errorf("%d bytes, the most is %d: %w", size, limits.Message, proto.ErrTooLarge)
	}
	if !f.bare {
		out = append(out, f.body...)
	}
	p.frame, m.Size = out, len(out)
	return nil
}

// compress puts the body through its filters, of which HTTP knows one.
func (p *Proto) compress(f *frame) (err error) {
	switch {
	case len(f.filters) == 0:
		return nil
	case len(f.filters) > 1 || f.filters[0] != filter.IDGzip:
		return fmt.Errorf("filters %q: HTTP has gzip only, and once", f.filters)
	}
	if f.body, err = p.stream.Filters.AppendPack(nil, f.body, f.filters); err != nil {
		return err
	}
	f.fields = append(f.fields, field{"Content-Encoding", gzipName}, field{"X-Content-Encoding", gzipName})
	return nil
}

// appendHead appends a head with its headers in the order of their names.
func appendHead(dst []byte, first string, fields []field) []byte {
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	dst = append(append(dst, first...), "\r\n"...)
	for _, f := range fields {
		dst = append(append(dst, f.name...), ": "...)
		dst = append(append(dst, f.value...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
