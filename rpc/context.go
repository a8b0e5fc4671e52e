package rpc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// Context is what a handler gets. As a context.Context it ends when the handler
// has returned, at the caller's deadline, when the caller cancels, and with the
// session; that of a PUSH does not end with its session, only with the endpoint.
// It may be used from other goroutines, and kept.
type Context interface {
	context.Context
	// Session is where the message came from; the handler may call back on it.
	Session() *Session
	// Method is the route as it was called.
	Method() string
	// Meta is the value of a name in the message's metadata, empty if absent.
	Meta(key string) string
	// Metadata is all of the message's metadata; it must not be changed.
	Metadata() *message.Meta
	// Codec is that of the message's body.
	Codec() byte
	// SetMeta adds metadata to the reply. Like SetCodec and AddFilter it does nothing when
	// the handler has returned.
	SetMeta(key, value string)
	// SetCodec chooses the codec of the result. Without it that is what the caller asked
	// for, else that of the request. A result of bytes goes out as it is, said to be of
	// this codec, which need not be among Config.Codecs then.
	SetCodec(id byte)
	// AddFilter puts the result through one more filter, inside those of the request,
	// which it has anyway. An id that is not among Config.Filters is refused.
	AddFilter(id byte) error
}

// handlerContext is the Context of one message. A handler may keep it for as long as it
// likes: what it has of its own stays, and the message, whose memory is used again, is
// let go when the handler has returned.
type handlerContext struct {
	session *Session
	method  string
	meta    message.Meta
	message *inbound      // to be had with ask
	fate    atomic.Uint32 // of the message
	codec   byte
	replied bool // under mu
	mu      sync.Mutex
	wishes  *wishes // nil as long as there are none; under mu
}

// What may have become of the message of a context.
const (
	unasked uint32 = iota // nobody has it from here
	asked                 // somebody has: it is not used again
	gone                  // nobody will: it may be
)

var _ Context = (*handlerContext)(nil)

// context makes what the handler gets.
func (in *inbound) context() Context {
	c := in.reader.context(in)
	c.session, c.method, c.meta, c.codec = in.session, in.method, in.m.Meta, in.m.Codec
	c.message = in
	in.seen = c
	return c
}

// ask gives the message, which stays what it is from now on; nil if it has been let go.
func (c *handlerContext) ask() *inbound {
	c.fate.CompareAndSwap(unasked, asked)
	if c.fate.Load() == gone {
		return nil
	}
	return c.message
}

// letGo is true if nobody has the message from here, nor will.
func (c *handlerContext) letGo() bool {
	if !c.fate.CompareAndSwap(unasked, gone) {
		return false
	}
	c.message = nil // which nobody looks at any more
	return true
}

// context is that of the message, or one that has ended.
func (c *handlerContext) context() context.Context {
	if in := c.ask(); in != nil {
		return in.Context
	}
	ended, cancel := context.WithCancel(c.session.ctx)
	cancel()
	return ended
}

func (c *handlerContext) Deadline() (time.Time, bool) { return c.context().Deadline() }
func (c *handlerContext) Done() <-chan struct{}       { return c.context().Done() }
func (c *handlerContext) Err() error                  { return c.context().Err() }
func (c *handlerContext) Value(key any) any           { return c.context().Value(key) }

func (c *handlerContext) Session() *Session       { return c.session }
func (c *handlerContext) Method() string          { return c.method }
func (c *handlerContext) Meta(key string) string  { return c.meta.Value(key) }
func (c *handlerContext) Metadata() *message.Meta { return &c.meta }
func (c *handlerContext) Codec() byte             { return c.codec }

func (c *handlerContext) SetMeta(key, value string) {
	c.set(func(w *wishes) { w.meta.Set(key, value) })
}

func (c *handlerContext) SetCodec(id byte) { c.set(func(w *wishes) { w.codec = id }) }

func (c *handlerContext) AddFilter(id byte) error {
	if _, ok := c.session.e.filters.Lookup(id); !ok {
		return fmt.Errorf("cannot add filter %q: it is not registered", id)
	}
	c.set(func(w *wishes) { w.filters = append(w.filters, id) })
	return nil
}

// wishes are what a handler wants of its reply.
type wishes struct {
	meta    message.Meta
	codec   byte
	filters []byte // besides those of the request
}

// set does nothing once the reply is made.
func (c *handlerContext) set(f func(w *wishes)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replied {
		return
	}
	if c.wishes == nil {
		c.wishes = new(wishes)
	}
	f(c.wishes)
}

// grant fulfils the wishes in the reply p; later ones come too late.
func (c *handlerContext) grant(p *passage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replied = true
	if c.wishes == nil {
		return
	}
	p.m.Meta, p.m.Codec = c.wishes.meta, c.wishes.codec
	if p.m.Status == nil {
		p.m.Filters = slices.Concat(p.m.Filters, c.wishes.filters)
	}
}
