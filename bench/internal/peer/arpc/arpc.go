package arpc

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/lesismal/arpc"
	"github.com/lesismal/arpc/codec"
	"github.com/lesismal/arpc/log"
	"google.golang.org/protobuf/proto"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
)

// patience is how long a call may take; there are no calls without.
const patience = 10 * time.Second

// Peer is one of the two.
type Peer struct{ tuned bool }

var _ peer.Peer = Peer{}

// Peers lists both. They say nothing from now on.
func Peers() []peer.Peer {
	log.SetLevel(log.LevelNone)
	return []peer.Peer{Peer{}, Peer{tuned: true}}
}

// Name is arpc or arpc-tuned.
func (p Peer) Name() string {
	if p.tuned {
		return "arpc-tuned"
	}
	return "arpc"
}

// tune makes a handler what the peer wants it to be.
func (p Peer) tune(h arpc.Handler) {
	if p.tuned {
		h.SetSendBufferSize(64 << 10)
		h.SetRecvBufferSize(64 << 10)
		h.EnablePool(true)
	}
}

// protobuf is the codec.
type protobuf struct{}

var _ codec.Codec = protobuf{}

func (protobuf) Marshal(v any) ([]byte, error)   { return proto.Marshal(v.(proto.Message)) }
func (protobuf) Unmarshal(b []byte, v any) error { return proto.Unmarshal(b, v.(proto.Message)) }

// Serve is as in peer.Peer.
func (p Peer) Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error {
	s := arpc.NewServer()
	s.Codec = protobuf{}
	p.tune(s.Handler)
	for _, b := range payload.Bodies() {
		s.Handler.Handle(callPath(b), func(c *arpc.Context) {
			m := payload.New(b)
			if c.Bind(m) == nil && payload.ServeProto(m) == nil {
				_ = c.Write(m)
			}
		})
		s.Handler.Handle(pushPath(b), func(c *arpc.Context) {
			m := payload.New(b)
			if c.Bind(m) == nil && payload.ServeProto(m) == nil {
				pushed.Add(1)
			}
		})
	}
	return peer.Until(ctx, func() error { return s.Serve(ln) }, func() { _ = s.Stop() })
}

func callPath(b payload.Body) string { return "/call/" + b.String() }
func pushPath(b payload.Body) string { return "/push/" + b.String() }

// Dial is as in peer.Peer.
func (p Peer) Dial(address string) (peer.Conn, error) {
	h := arpc.NewHandler()
	p.tune(h)
	c, err := arpc.NewClient(func() (net.Conn, error) { return net.DialTimeout("tcp", address, patience) }, h)
	if err != nil {
		return nil, err
	}
	c.Codec = protobuf{}
	return conn{c}, nil
}

type conn struct{ client *arpc.Client }

func (c conn) Caller(b payload.Body) peer.Call {
	request, path := payload.NewProto(b), callPath(b)
	return func(tag uint32) error {
		reply := request.Reply()
		if err := c.client.Call(path, request.Next(tag), reply, patience); err != nil {
			return err
		}
		return request.Check(reply)
	}
}

func (c conn) Pusher(b payload.Body) (peer.Call, error) {
	request, path := payload.NewProto(b), pushPath(b)
	return func(tag uint32) error { return c.client.Notify(path, request.Next(tag), patience) }, nil
}

func (c conn) Close() error {
	c.client.Stop()
	return nil
}
