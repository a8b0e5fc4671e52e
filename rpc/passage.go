package rpc

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// passage is one message on its way through the hooks: they see it as [WriteCtx]
// when it goes out and as [ReadCtx] when it comes in.
type passage struct {
	context.Context
	session *Session
	method  string          // the route; that of its CALL for a REPLY
	m       message.Message // without Body on the way out until it is encoded
	value   any             // the body as a Go value
	memory  *buffer         // what the body is in, if that is to be used again
	request *passage        // of a REPLY that has the exchange of its CALL
	ends    *inbound        // the CALL whose handler has ended, of its REPLY
	own     bool            // the body is in memory that is nobody else's
	joint   bool            // the REPLY may wait for others
	shared  atomic.Pointer[exchange]
}

var (
	_ WriteCtx = (*passage)(nil)
	_ ReadCtx  = (*passage)(nil)
)

func (p *passage) Session() *Session       { return p.session }
func (p *passage) Type() message.Type      { return p.m.Type }
func (p *passage) Seq() int32              { return p.m.Seq }
func (p *passage) Method() string          { return p.method }
func (p *passage) Metadata() *message.Meta { return &p.m.Meta }
func (p *passage) Codec() byte             { return p.m.Codec }
func (p *passage) Status() *status.Status  { return p.m.Status }
func (p *passage) Body() any               { return p.value }
func (p *passage) SetBody(v any)           { p.value = v }
func (p *passage) Raw() []byte             { return p.m.Body }
func (p *passage) SetRaw(b []byte)         { p.m.Body, p.own = b, false }

func (p *passage) SetMethod(method string) { p.method, p.m.Method = method, method }

func (p *passage) Encode(v any) ([]byte, error) { return p.session.e.encode(p.m.Codec, v) }

func (p *passage) Decode(b []byte, v any) error { return p.session.e.decode(p.m.Codec, b, v) }

// begin sets what goes out.
func (p *passage) begin(ctx context.Context, s *Session, t message.Type, method string, body any) {
	p.Context, p.session, p.method, p.value = ctx, s, method, body
	p.m.Type, p.m.Method = t, method
}

// encode makes the body.
func (p *passage) encode() (err error) {
	p.m.Body, p.memory, err = p.session.e.encodeAgain(p.m.Codec, p.value)
	return err
}

// decodeBody fills target from the body, and keeps nothing of that but what is its own.
func (p *passage) decodeBody(target any) error {
	if v, ok := target.(*[]byte); ok && p.own {
		*v = p.m.Body
		return nil
	}
	return p.session.e.decode(p.m.Codec, p.m.Body, target)
}

// keepBody takes the body of a message that was read just now, as long as it lies in the
// reader's buffer: into memory that can become bytes of who gets it, if he wants bytes.
func (p *passage) keepBody(s *Session, asBytes bool) {
	if len(p.m.Body) == 0 {
		return
	}
	if p.memory = s.read.detach(p.m.Body); p.memory != nil {
		return
	}
	if asBytes {
		p.m.Body, p.own = bytes.Clone(p.m.Body), true
		return
	}
	p.memory = s.e.bufs.get(len(p.m.Body))
	p.memory.b = append(p.memory.b, p.m.Body...)
	p.m.Body = p.memory.b
}

// dropBody is for who has written or decoded it, or does not want it.
func (p *passage) dropBody() {
	p.m.Body, p.own = nil, false
	if p.memory != nil {
		p.session.e.bufs.put(p.memory)
		p.memory = nil
	}
}

// passagePool keeps passages that nobody needs any more.
type passagePool struct{ pool sync.Pool }

func (p *passagePool) get() *passage {
	if passage, ok := p.pool.Get().(*passage); ok {
		return passage
	}
	return new(passage)
}

func (p *passagePool) put(of *passage) {
	of.clear()
	p.pool.Put(of)
}

// clear makes it ready for another message.
func (p *passage) clear() {
	p.dropBody()
	p.Context, p.session, p.method = nil, nil, ""
	p.m, p.value, p.request, p.ends, p.joint = message.Message{}, nil, nil, nil, false
	if p.shared.Load() != nil { // storing is dearer than looking
		p.shared.Store(nil)
	}
}
