package rpc

import (
	"context"
	"net"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Plugin is what Config.Plugins, [WithPlugins] and [Endpoint.Group] take: a name and
// one or more of the hooks below, each an interface with one method. One that has
// none is refused, and so is one with a hook that would never be called where it is.
//
// Lists of hooks run in this order: Config.Plugins, those of groups from the outside
// in, those of the route, Config.LastPlugins. The first error ends the list, but not of
// hooks that learn what has happened or is certain, whose error changes nothing. A hook
// that panics has failed with a [*HookError]. Hooks are called by many goroutines at
// once; those of one message one after the other.
//
// What a hook's error does to a message is said at the hook. One that holds a
// *status.Status reaches the peer or the caller as it is; of any other error a peer
// learns an incident id, and a caller of ours finds it by errors.Is.
type Plugin interface {
	Name() string // for errors and logs
}

// Hooks of the endpoint. They can only stand in Config.
type (
	// BeforeNewEndpoint may change the configuration, add plugins for example. Its error
	// is that of [New].
	BeforeNewEndpoint interface {
		BeforeNewEndpoint(c *Config) error
	}
	// AfterNewEndpoint may register routes. Its error is that of [New], which closes the
	// endpoint again.
	AfterNewEndpoint interface {
		AfterNewEndpoint(e *Endpoint) error
	}
	// BeforeCloseEndpoint comes before peers are told to go, with the first Shutdown or
	// Close. Its error is part of theirs; the endpoint closes all the same.
	BeforeCloseEndpoint interface {
		BeforeCloseEndpoint(e *Endpoint) error
	}
	// AfterCloseEndpoint comes once, when everything has ended; err is what went wrong
	// with that. Its error is part of that of Close.
	AfterCloseEndpoint interface {
		AfterCloseEndpoint(e *Endpoint, err error) error
	}
	// AfterRegister sees each route that is about to be there. With its error the route
	// is refused. It may stand at groups and routes, and is called for theirs alone.
	AfterRegister interface {
		AfterRegister(r Route) error
	}
	// AfterListen comes before the first connection is accepted; with its error the
	// listener is closed and Serve returns it.
	AfterListen interface {
		AfterListen(addr net.Addr) error
	}
)

// Hooks of a connection. They can only stand in Config.
type (
	// BeforeDial comes before every attempt to connect. Its error is that of Dial; when
	// a [Client] dials again it is logged.
	BeforeDial interface {
		BeforeDial(ctx context.Context, address string, redial bool) error
	}
	// AfterDial has the new session for itself: nothing else is read or written yet. With
	// its error the attempt has failed: status 105 with the cause.
	AfterDial interface {
		AfterDial(s EarlySession, redial bool) error
	}
	// AfterDialFail comes after every attempt that failed. Its error is logged.
	AfterDialFail interface {
		AfterDialFail(address string, err error, redial bool) error
	}
	// AfterAccept has the new session for itself: nothing else is read or written yet.
	// With its error the session is closed.
	AfterAccept interface {
		AfterAccept(s EarlySession) error
	}
	// AfterDisconnect comes once for every session that AfterDial or AfterAccept saw, or
	// would have if nothing had ended the session before. Its error is logged.
	AfterDisconnect interface {
		AfterDisconnect(s BaseSession) error
	}
)

// Hooks of a message that goes out.
type (
	// BeforeWriteCall comes before the body is encoded. With its error, 104 if it is no
	// status, the call ends and nothing is written.
	BeforeWriteCall interface{ BeforeWriteCall(c WriteCtx) error }
	// AfterWriteCall comes when the call has been written. Its error is logged.
	AfterWriteCall interface{ AfterWriteCall(c WriteCtx) error }
	// BeforeWriteReply comes before the result is encoded. Its error is logged, and takes
	// the place of the result: what hooks have not finished with must not go out. Of the
	// handler's list, as AfterWriteReply; that of Config for a route that is unknown.
	BeforeWriteReply interface{ BeforeWriteReply(c WriteCtx) error }
	// AfterWriteReply comes when the reply has been written. Its error is logged.
	AfterWriteReply interface{ AfterWriteReply(c WriteCtx) error }
	// BeforeWritePush comes before the body is encoded. With its error, 104 if it is no
	// status, nothing is written.
	BeforeWritePush interface{ BeforeWritePush(c WriteCtx) error }
	// AfterWritePush comes when the push has been written. Its error is logged.
	AfterWritePush interface{ AfterWritePush(c WriteCtx) error }
)

// Hooks of a message that comes in.
type (
	// BeforeReadHeader comes before the session waits for its next message. Its error
	// ends the session.
	BeforeReadHeader interface{ BeforeReadHeader(c EarlyCtx) error }
	// AfterReadCallHeader comes before the route is looked up; it may change the method.
	// With its error the call is answered. It must not wait: it keeps the session from
	// reading. Its context is that of the session.
	AfterReadCallHeader interface{ AfterReadCallHeader(c ReadCtx) error }
	// BeforeReadCallBody comes in the handler's goroutine before the body is decoded; it
	// may change the bytes. With its error the call is answered.
	BeforeReadCallBody interface{ BeforeReadCallBody(c ReadCtx) error }
	// AfterReadCallBody comes before the handler. With its error the call is answered.
	AfterReadCallBody interface{ AfterReadCallBody(c ReadCtx) error }
	// AfterReadPushHeader is AfterReadCallHeader for a PUSH, which is dropped with its error.
	AfterReadPushHeader interface{ AfterReadPushHeader(c ReadCtx) error }
	// BeforeReadPushBody is BeforeReadCallBody for a PUSH, which is dropped with its error.
	BeforeReadPushBody interface{ BeforeReadPushBody(c ReadCtx) error }
	// AfterReadPushBody is AfterReadCallBody for a PUSH, which is dropped with its error.
	AfterReadPushBody interface{ AfterReadPushBody(c ReadCtx) error }
	// AfterReadReplyHeader comes in the caller's goroutine. The call ends with its error.
	AfterReadReplyHeader interface{ AfterReadReplyHeader(c ReadCtx) error }
	// BeforeReadReplyBody comes before the result is decoded, if there is one; it may
	// change the bytes. The call ends with its error.
	BeforeReadReplyBody interface{ BeforeReadReplyBody(c ReadCtx) error }
	// AfterReadReplyBody comes with every reply; Status is that of an error. The call ends
	// with its error.
	AfterReadReplyBody interface{ AfterReadReplyBody(c ReadCtx) error }
)

// EarlyCtx is a session that is about to wait for a message.
type EarlyCtx interface {
	Session() *Session
}

// WriteCtx is a message that goes out. It is valid until the hook returns; its
// context is that of the call or of the handler.
type WriteCtx interface {
	context.Context
	Session() *Session
	Type() message.Type
	Seq() int32              // 0 before a Call or Push has its number
	Method() string          // the route; of the Call for its Reply
	Metadata() *message.Meta // hooks before the writing may change it
	Codec() byte             // of the body
	Status() *status.Status  // of a Reply; nil is success
	Body() any               // not encoded yet
	SetBody(v any)           // replaces it, in hooks before the writing
	Encode(v any) ([]byte, error)
	Attributes() *Attributes // what plugins keep with a Call and its Reply, or a Push
	OnEnd(f func(err error)) // see ReadCtx
}

// ReadCtx is a message that came in. It is valid until the hook returns.
type ReadCtx interface {
	context.Context
	Session() *Session
	Type() message.Type
	Seq() int32
	Method() string          // the route; of the Call for its Reply
	SetMethod(method string) // in AfterReadCallHeader and AfterReadPushHeader
	Metadata() *message.Meta
	Codec() byte            // of the body
	Status() *status.Status // of a Reply; nil is success
	Raw() []byte            // the body as it came; nil once it is decoded
	SetRaw(b []byte)        // replaces it, in hooks before the decoding
	Body() any              // where it was decoded into, a pointer; nil before
	Decode(b []byte, v any) error
	Attributes() *Attributes // what plugins keep with a Call and its Reply, or a Push
	// OnEnd runs f when the exchange is over, the one given last first: a call or push of
	// ours with the error that its caller gets; one of the peer when its handler has
	// returned and the reply was written, with the error of the handler or of a hook. A
	// handler may go on after its context has ended: then its call was answered before,
	// and AfterWriteReply may come later.
	OnEnd(f func(err error))
}
