package rpc

import (
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// CallOption changes one Call or Push.
type CallOption func(*callOptions)

type callOptions struct {
	meta       message.Meta
	codec      byte
	codecName  string
	filters    []byte
	replyMeta  *message.Meta
	replyCodec *byte
	idempotent bool
}

func (o *callOptions) apply(opts []CallOption) {
	for _, opt := range opts {
		opt(o)
	}
}

// WithMeta sends metadata along.
func WithMeta(key, value string) CallOption {
	return func(o *callOptions) { o.meta.Set(key, value) }
}

// WithCodec encodes the body with the codec of that id instead of the
// endpoint's default.
func WithCodec(id byte) CallOption {
	return func(o *callOptions) { o.codec = id }
}

// WithCodecName is WithCodec by name, "json" for example.
func WithCodecName(name string) CallOption {
	return func(o *callOptions) { o.codecName = name }
}

// WithFilters sends the message through the filters of these ids, the first being the
// outermost. The reply comes through them as well. Each must be among Config.Filters
// on both sides: one that is not here fails the call, one that is not there ends the
// session.
func WithFilters(ids ...byte) CallOption {
	return func(o *callOptions) { o.filters = ids }
}

// WithReplyMeta stores the metadata of the reply in m, also that of an error.
func WithReplyMeta(m *message.Meta) CallOption {
	return func(o *callOptions) { o.replyMeta = m }
}

// WithReplyCodec stores the id of the reply's codec in id; 0 is that of an error. It is
// for those who take the reply as bytes.
func WithReplyCodec(id *byte) CallOption {
	return func(o *callOptions) { o.replyCodec = id }
}

// WithMetadata sends all of m along; it is copied.
func WithMetadata(m *message.Meta) CallOption {
	return func(o *callOptions) {
		for key, value := range m.All() {
			o.meta.Set(key, value)
		}
	}
}

// Idempotent says that executing the call twice does no harm, so that a [Client]
// may repeat it when the connection was lost before the reply came.
func Idempotent() CallOption {
	return func(o *callOptions) { o.idempotent = true }
}

// RouteOption changes a route when it is registered.
type RouteOption func(*routeOptions)

type routeOptions struct {
	plugins []Plugin
	ordered bool
	inline  bool
	timeout time.Duration
	limit   int
}

// WithPlugins adds plugins to the route alone. Their hooks are called between those of
// the groups and Config.LastPlugins; hooks that are not of a route are refused.
func WithPlugins(plugins ...Plugin) RouteOption {
	return func(o *routeOptions) { o.plugins = append(o.plugins, plugins...) }
}

// Ordered handles the messages of one session one after the other, in the order
// in which they came, over all routes with this option. Sessions do not wait for
// each other, and routes without it do not wait at all.
func Ordered() RouteOption {
	return func(o *routeOptions) { o.ordered = true }
}

// Inline runs every handler of the route where messages are read, which saves handing it
// to another goroutine: for handlers that take microseconds and never wait, since
// meanwhile nothing else of its session is read, however long that takes. Without it the
// same is done as long as handlers of the route turn out to be short, and if one is not,
// another goroutine reads on. With Ordered, or where a protocol keeps the order, it has no
// effect.
func Inline() RouteOption {
	return func(o *routeOptions) { o.inline = true }
}

// WithTimeout replaces Config.HandlerTimeout for this route.
func WithTimeout(d time.Duration) RouteOption {
	return func(o *routeOptions) { o.timeout = d }
}

// WithLimit lets at most n handlers of the route run at once, over all sessions; 0 is no
// limit of its own. A further call is answered 503. As with [Limits], a handler counts until
// its reply goes out.
func WithLimit(n int) RouteOption {
	return func(o *routeOptions) { o.limit = n }
}
