package rpcx

import (
	"context"
	"io"
	stdlog "log"
	"net"
	"sync/atomic"
	"time"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
)

// Peer is the peer.
type Peer struct{}

var _ peer.Peer = Peer{}

// Peers lists it. It says nothing from now on.
func Peers() []peer.Peer {
	log.SetLogger(log.NewDefaultLogger(io.Discard, "", stdlog.LstdFlags, log.LvError))
	return []peer.Peer{Peer{}}
}

// Name is rpcx.
func (Peer) Name() string { return "rpcx" }

// The paths of the two kinds of handlers; bodies are the methods.
const (
	calls  = "call"
	pushes = "push"
)

// Serve is as in peer.Peer.
func (Peer) Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error {
	s := server.NewServer()
	for _, b := range payload.Bodies() {
		s.AddHandler(calls, b.String(), func(c *server.Context) error {
			m := payload.New(b)
			if err := c.Bind(m); err != nil {
				return err
			}
			if err := payload.ServeProto(m); err != nil {
				return err
			}
			return c.Write(m)
		})
		s.AddHandler(pushes, b.String(), func(c *server.Context) error {
			m := payload.New(b)
			if err := c.Bind(m); err != nil {
				return err
			}
			if err := payload.ServeProto(m); err != nil {
				return err
			}
			pushed.Add(1)
			return nil
		})
	}
	return peer.Until(ctx, func() error { return s.ServeListener("tcp", ln) }, func() { _ = s.Close() })
}

// Dial is as in peer.Peer.
func (Peer) Dial(address string) (peer.Conn, error) {
	o := client.DefaultOption
	o.SerializeType = protocol.ProtoBuffer
	o.ConnectTimeout = 10 * time.Second
	c := client.NewClient(o)
	if err := c.Connect("tcp", address); err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ client *client.Client }

func (c conn) Caller(b payload.Body) peer.Call {
	request, method := payload.NewProto(b), b.String()
	return func(tag uint32) error {
		reply := request.Reply()
		if err := c.client.Call(context.Background(), calls, method, request.Next(tag), reply); err != nil {
			return err
		}
		return request.Check(reply)
	}
}

func (c conn) Pusher(b payload.Body) (peer.Call, error) {
	request, method := payload.NewProto(b), b.String()
	return func(tag uint32) error {
		return c.client.Call(context.Background(), pushes, method, request.Next(tag), nil)
	}, nil
}

func (c conn) Close() error { return c.client.Close() }
