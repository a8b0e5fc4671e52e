package rpc

import (
	"context"
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
	request *passage        // of a REPLY that has the exchange of its CALL
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
func (p *passage) SetRaw(b []byte)         { p.m.Body = b }

func (p *passage) SetMethod(method string) { p.method, p.m.Method = method, method }

func (p *passage) Encode(v any) ([]byte, error) { return p.session.e.encode(p.m.Codec, v) }

func (p *passage) Decode(b []byte, v any) error { return p.session.e.decode(p.m.Codec, b, v) }

// clear makes it ready for another message.
func (p *passage) clear() {
	p.Context, p.session, p.method = nil, nil, ""
	p.m, p.value, p.request = message.Message{}, nil, nil
	p.shared.Store(nil)
}
