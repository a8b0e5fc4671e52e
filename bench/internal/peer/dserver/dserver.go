package dserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/pb"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/codec/protobuf"
)

// Peer is one of them.
type Peer struct {
	bytes, inline bool

	client func() (*rpc.Endpoint, error) // one for all connections
}

var _ peer.Peer = (*Peer)(nil)

// Peers lists them.
func Peers() []peer.Peer {
	return []peer.Peer{newPeer(false, false), newPeer(true, false), newPeer(false, true), newPeer(true, true)}
}

func newPeer(bytes, inline bool) *Peer {
	return &Peer{bytes: bytes, inline: inline, client: sync.OnceValues(endpoint)}
}

func endpoint() (*rpc.Endpoint, error) {
	return rpc.New(rpc.Config{
		Name: "bench", Codecs: []codec.Codec{protobuf.Codec{}}, Logger: slog.New(slog.DiscardHandler),
	})
}

// Name is dserver, with -bytes and -inline behind it.
func (p *Peer) Name() string {
	name := "dserver"
	if p.bytes {
		name += "-bytes"
	}
	if p.inline {
		name += "-inline"
	}
	return name
}

// Serve is as in peer.Peer.
func (p *Peer) Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error {
	e, err := endpoint()
	if err != nil {
		return err
	}
	r := routes{e, pushed, nil}
	if p.inline {
		r.options = []rpc.RouteOption{rpc.Inline()}
	}
	if p.bytes {
		err = register(r, payload.ServeBytes, payload.Bodies()...)
	} else {
		err = errors.Join(
			register(r, func(m *pb.Record) error { return payload.ServeProto(m) }, payload.Record),
			register(r, func(m *pb.Blob) error { return payload.ServeProto(m) }, payload.Small, payload.Large))
	}
	if err != nil {
		return err
	}
	return peer.Until(ctx, func() error { return e.Serve(ln) }, func() { _ = e.Close() })
}

type routes struct {
	endpoint *rpc.Endpoint
	pushed   *atomic.Int64
	options  []rpc.RouteOption
}

// register adds the routes of bodies that have one type.
func register[M any](r routes, serve func(m M) error, bodies ...payload.Body) error {
	call := func(_ rpc.Context, m M) (M, error) { return m, serve(m) }
	push := func(_ rpc.Context, m M) error {
		err := serve(m)
		if err == nil {
			r.pushed.Add(1)
		}
		return err
	}
	for _, b := range bodies {
		if err := rpc.Handle(r.endpoint, path(b), call, r.options...); err != nil {
			return err
		}
		if err := rpc.HandlePush(r.endpoint, path(b), push, r.options...); err != nil {
			return err
		}
	}
	return nil
}

func path(b payload.Body) string { return "/" + b.String() }

// Dial is as in peer.Peer. The connection is made at the first call.
func (p *Peer) Dial(address string) (peer.Conn, error) {
	e, err := p.client()
	if err != nil {
		return nil, err
	}
	return conn{e.Client("tcp://" + address), p.bytes}, nil
}

// Close ends the endpoint to which all connections belong.
func (p *Peer) Close() error {
	e, err := p.client()
	if err != nil {
		return err
	}
	return e.Close()
}

type conn struct {
	client *rpc.Client
	bytes  bool
}

func (c conn) Caller(b payload.Body) peer.Call {
	ctx, path := context.Background(), path(b)
	if c.bytes {
		request := payload.NewBytes(b)
		var sent, reply []byte // pointers to them are passed without an allocation
		return func(tag uint32) error {
			sent = request.Next(tag)
			if err := c.client.Call(ctx, path, &sent, &reply); err != nil {
				return err
			}
			return request.Check(reply)
		}
	}
	request := payload.NewProto(b)
	return func(tag uint32) error {
		reply := request.Reply()
		if err := c.client.Call(ctx, path, request.Next(tag), reply); err != nil {
			return err
		}
		return request.Check(reply)
	}
}

func (c conn) Pusher(b payload.Body) (peer.Call, error) {
	ctx, path := context.Background(), path(b)
	if c.bytes {
		request := payload.NewBytes(b)
		var sent []byte
		return func(tag uint32) error {
			sent = request.Next(tag)
			return c.client.Push(ctx, path, &sent)
		}, nil
	}
	request := payload.NewProto(b)
	return func(tag uint32) error { return c.client.Push(ctx, path, request.Next(tag)) }, nil
}

func (c conn) Close() error { return c.client.Close() }
