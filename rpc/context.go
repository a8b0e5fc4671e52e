package rpc

import (
	"context"
	"fmt"

	"github.com/dserver/dserver/rpc/message"
)

// Context is what a handler gets. As a context.Context it ends when the handler
// has returned, at the caller's deadline, when the caller cancels, and with the
// session; that of a PUSH does not end with its session, only with the endpoint.
// It may be used from other goroutines; SetMeta, SetCodec and AddFilter must not be
// called by two at once.
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
	// SetMeta adds metadata to the reply.
	SetMeta(key, value string)
	// SetCodec chooses the codec of the result. Without it that is what the caller asked
	// for, else that of the request. A result of bytes goes out as it is, said to be of
	// this codec, which need not be among Config.Codecs then.
	SetCodec(id byte)
	// AddFilter puts the result through one more filter, inside those of the request,
	// which it has anyway. An id that is not among Config.Filters is refused.
	AddFilter(id byte) error
}

var _ Context = (*inbound)(nil)

func (in *inbound) Meta(key string) string    { return in.m.Meta.Value(key) }
func (in *inbound) SetMeta(key, value string) { in.more().meta.Set(key, value) }
func (in *inbound) SetCodec(id byte)          { in.more().codec = id }

func (in *inbound) AddFilter(id byte) error {
	if _, ok := in.session.e.filters.Lookup(id); !ok {
		return fmt.Errorf("cannot add filter %q: it is not registered", id)
	}
	more := in.more()
	more.filters = append(more.filters, id)
	return nil
}
