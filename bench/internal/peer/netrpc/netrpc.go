package netrpc

import (
	"context"
	"net"
	"net/rpc"
	"sync/atomic"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
)

// Peer is the peer.
type Peer struct{}

var _ peer.Peer = Peer{}

// Peers lists it.
func Peers() []peer.Peer { return []peer.Peer{Peer{}} }

// Name is net-rpc.
func (Peer) Name() string { return "net-rpc" }

// Echo is the service; package rpc wants its methods and their types exported.
type Echo struct{}

// Record answers a record.
func (Echo) Record(in, out *Record) error {
	*out = *in
	out.Answer = payload.Answer(in.Answer)
	return nil
}

// Blob answers data.
func (Echo) Blob(in, out *Blob) error {
	out.Data, out.Answer = in.Data, payload.Answer(in.Answer)
	return nil
}

// Serve is as in peer.Peer.
func (Peer) Serve(ctx context.Context, ln net.Listener, _ *atomic.Int64) error {
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		return err
	}
	return peer.Accept(ctx, ln, func(c net.Conn) { s.ServeConn(c) })
}

// Dial is as in peer.Peer.
func (Peer) Dial(address string) (peer.Conn, error) {
	c, err := rpc.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ client *rpc.Client }

func (c conn) Caller(b payload.Body) peer.Call {
	if b == payload.Record {
		request := new(Record)
		payload.Fill(request)
		return func(tag uint32) error {
			request.Tag = payload.Tag(tag)
			var reply Record
			if err := c.client.Call("Echo.Record", request, &reply); err != nil {
				return err
			}
			return payload.CheckRecord(tag, reply.Answer, reply.Tag, reply.Text7)
		}
	}
	request := &Blob{Data: payload.Data(b)}
	payload.Fill(request)
	return func(tag uint32) error {
		payload.SetTag(request.Data, tag)
		var reply Blob
		if err := c.client.Call("Echo.Blob", request, &reply); err != nil {
			return err
		}
		return payload.CheckData(request.Data, reply.Data, reply.Answer)
	}
}

func (c conn) Pusher(payload.Body) (peer.Call, error) { return nil, peer.ErrNoPush }

func (c conn) Close() error { return c.client.Close() }
