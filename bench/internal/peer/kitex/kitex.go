package kitex

import (
	"context"
	"io"
	"net"
	"sync/atomic"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/server"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/bench/internal/peer/kitex/gen/record"
	"github.com/dserver/dserver/bench/internal/peer/kitex/gen/record/echo"
)

// Peer is the peer.
type Peer struct{}

var _ peer.Peer = Peer{}

// Peers lists it. It says nothing from now on.
func Peers() []peer.Peer {
	klog.SetOutput(io.Discard)
	return []peer.Peer{Peer{}}
}

// Name is kitex-thrift-mux.
func (Peer) Name() string { return "kitex-thrift-mux" }

// service is what the generated code calls.
type service struct{}

var _ record.Echo = (*service)(nil)

func (*service) Record(_ context.Context, m *record.Record) (*record.Record, error) {
	*m.Answer = payload.Answer(m.GetAnswer())
	return m, nil
}

func (*service) Blob(_ context.Context, m *record.Blob) (*record.Blob, error) {
	*m.Answer = payload.Answer(m.GetAnswer())
	return m, nil
}

// Serve is as in peer.Peer.
func (Peer) Serve(ctx context.Context, ln net.Listener, _ *atomic.Int64) error {
	s := echo.NewServer(new(service), server.WithListener(ln), server.WithMuxTransport())
	return peer.Until(ctx, s.Run, func() { _ = s.Stop() })
}

// Dial is as in peer.Peer. The connection is made at the first call.
func (Peer) Dial(address string) (peer.Conn, error) {
	c, err := echo.NewClient("bench", client.WithHostPorts(address), client.WithMuxConnection(1))
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ client echo.Client }

func (c conn) Caller(b payload.Body) peer.Call {
	if b == payload.Record {
		request := new(record.Record)
		payload.Fill(request)
		return func(tag uint32) error {
			*request.Tag = payload.Tag(tag)
			reply, err := c.client.Record(context.Background(), request)
			if err != nil {
				return err
			}
			return payload.CheckRecord(tag, reply.GetAnswer(), reply.GetTag(), reply.GetText7())
		}
	}
	request := new(record.Blob)
	payload.Fill(request)
	request.Data = payload.Data(b)
	return func(tag uint32) error {
		payload.SetTag(request.Data, tag)
		reply, err := c.client.Blob(context.Background(), request)
		if err != nil {
			return err
		}
		return payload.CheckData(request.Data, reply.GetData(), reply.GetAnswer())
	}
}

func (c conn) Pusher(payload.Body) (peer.Call, error) { return nil, peer.ErrNoPush }

func (c conn) Close() error { return nil }
