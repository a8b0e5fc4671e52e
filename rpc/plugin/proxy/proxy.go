package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// Forwarder is where messages go: a [rpc.Session] or a [rpc.Client] for example. The
// request is the []byte of the body, the result a *[]byte.
type Forwarder interface {
	Call(ctx context.Context, method string, req, res any, opts ...rpc.CallOption) error
	Push(ctx context.Context, method string, body any, opts ...rpc.CallOption) error
}

var (
	_ Forwarder = (*rpc.Session)(nil)
	_ Forwarder = (*rpc.Client)(nil)
)

// Label is what is known of a message before it is forwarded.
type Label struct {
	Method   string
	Push     bool          // else it is a CALL
	RealIP   string        // X-Real-IP, or the caller's address with its port; empty if it has none
	Session  *rpc.Session  // where it came from
	Metadata *message.Meta // all of it; not to be changed
}

// Choose says where a message goes; it is called for each, by many goroutines at once.
// Its context is that of the message. Without a Forwarder the caller is answered 404, with
// an error by that, as with one of a handler.
type Choose func(ctx context.Context, l Label) (Forwarder, error)

// Options of a proxy; the zero value works.
type Options struct {
	Logger *slog.Logger      // of what cannot be reached; default slog.Default()
	Route  []rpc.RouteOption // of the handlers of unknown CALLs and PUSHes; default none
}

// Plugin forwards what is unknown.
type Plugin struct {
	choose Choose
	route  []rpc.RouteOption
	log    *slog.Logger
}

var _ rpc.AfterNewEndpoint = (*Plugin)(nil)

// New returns a plugin for rpc.Config: it takes all unknown messages of the endpoint.
func New(choose Choose, o Options) *Plugin {
	p := &Plugin{choose: choose, route: o.Route, log: o.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	return p
}

// Name is "proxy".
func (p *Plugin) Name() string { return "proxy" }

// AfterNewEndpoint is [Plugin.Register] for the whole endpoint.
func (p *Plugin) AfterNewEndpoint(e *rpc.Endpoint) error { return p.Register(e) }

// Register takes the unknown messages below a group, or all of an endpoint. There it
// needs no place in rpc.Config. It fails if others take them already.
func (p *Plugin) Register(r rpc.Registrar) error {
	if p.choose == nil {
		return errors.New("cannot use a proxy: it has no function that chooses")
	}
	return errors.Join(
		rpc.HandleUnknownCall(r, p.call, p.route...),
		rpc.HandleUnknownPush(r, p.push, p.route...),
	)
}

func (p *Plugin) call(ctx rpc.Context, body []byte) (any, error) {
	to, opts, err := p.target(ctx, false)
	if err != nil {
		return nil, err
	}
	var (
		result []byte
		meta   message.Meta
		codec  byte
	)
	opts = append(opts, rpc.WithReplyMeta(&meta), rpc.WithReplyCodec(&codec))
	err = to.Call(ctx, ctx.Method(), body, &result, opts...)
	for key, value := range meta.All() {
		ctx.SetMeta(key, value)
	}
	if err != nil {
		return nil, p.failure(ctx, err)
	}
	ctx.SetCodec(codec)
	return result, nil
}

func (p *Plugin) push(ctx rpc.Context, body []byte) error {
	to, opts, err := p.target(ctx, true)
	if err != nil {
		return err
	}
	if err := to.Push(ctx, ctx.Method(), body, opts...); err != nil {
		return p.failure(ctx, err)
	}
	return nil
}

// reserved begins the routes that are about one connection.
const reserved = "/_"

const metaRealIP = "X-Real-IP"

// target chooses where the message goes, and with what.
func (p *Plugin) target(ctx rpc.Context, push bool) (Forwarder, []rpc.CallOption, error) {
	if strings.HasPrefix(ctx.Method(), reserved) {
		return nil, nil, status.New(status.NotFound, "")
	}
	l := Label{Method: ctx.Method(), Push: push, RealIP: ctx.Meta(metaRealIP), Session: ctx.Session(), Metadata: ctx.Metadata()}
	opts := []rpc.CallOption{rpc.WithCodec(ctx.Codec()), rpc.WithMetadata(l.Metadata)}
	if l.RealIP == "" {
		if l.RealIP = address(l.Session); l.RealIP != "" {
			opts = append(opts, rpc.WithMeta(metaRealIP, l.RealIP))
		}
	}
	to, err := p.choose(ctx, l)
	if err == nil && to == nil {
		err = status.New(status.NotFound, "")
	}
	return to, opts, err
}

// address is empty for a peer that has none, as on a unix socket.
func address(s *rpc.Session) string {
	a := s.RemoteAddr()
	if a == nil || a.String() == "@" {
		return ""
	}
	return a.String()
}

// failure is what the caller is told of a call that did not go well behind us.
func (p *Plugin) failure(ctx rpc.Context, err error) error {
	st, ok := status.From(err)
	switch {
	case !ok, st == nil, st.Code < 100, st.Code > 199:
		return err
	case st.Unwrap() == nil:
		// The service behind has said it of a connection of its own.
		passed := *st
		passed.Code, passed.Msg = status.BadGateway, status.BadGateway.String()
		return &passed
	case ctx.Err() == nil:
		p.log.Warn("cannot forward", "method", ctx.Method(), "session", ctx.Session().ID(), "error", err)
	}
	out := status.Wrap(status.BadGateway, "the service behind cannot be reached", fmt.Errorf("cannot forward %s: %w", ctx.Method(), err))
	out.Retry = st.Retry || st.Code == status.DialFailed
	return out
}
