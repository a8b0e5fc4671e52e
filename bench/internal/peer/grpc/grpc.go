package grpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/bench/internal/peer"
)

// Peer is the peer.
type Peer struct{}

var _ peer.Peer = Peer{}

// Peers lists it.
func Peers() []peer.Peer { return []peer.Peer{Peer{}} }

// Name is grpc.
func (Peer) Name() string { return "grpc" }

// The names are those in the service.
const service = "bench.Echo"

func callName(b payload.Body) string { return "Call" + b.String() }
func pushName(b payload.Body) string { return "Push" + b.String() }

// description is what a generator would have made of a service.
func description(pushed *atomic.Int64) *grpc.ServiceDesc {
	d := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	for _, b := range payload.Bodies() {
		d.Methods = append(d.Methods, grpc.MethodDesc{
			MethodName: callName(b),
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				m := payload.New(b)
				if err := decode(m); err != nil {
					return nil, err
				}
				return m, payload.ServeProto(m)
			},
		})
		d.Streams = append(d.Streams, grpc.StreamDesc{
			StreamName: pushName(b), ClientStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error { return receive(s, b, pushed) },
		})
	}
	return d
}

// receive counts the messages of a stream.
func receive(s grpc.ServerStream, b payload.Body, pushed *atomic.Int64) error {
	for {
		m := payload.New(b)
		err := s.RecvMsg(m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = payload.ServeProto(m)
		}
		if err != nil {
			return err
		}
		pushed.Add(1)
	}
}

// Serve is as in peer.Peer.
func (Peer) Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error {
	s := grpc.NewServer()
	s.RegisterService(description(pushed), nil)
	return peer.Until(ctx, func() error { return s.Serve(ln) }, s.Stop)
}

// Dial is as in peer.Peer. The connection is made at the first call.
func (Peer) Dial(address string) (peer.Conn, error) {
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

type conn struct{ client *grpc.ClientConn }

func (c conn) Caller(b payload.Body) peer.Call {
	request, method := payload.NewProto(b), "/"+service+"/"+callName(b)
	return func(tag uint32) error {
		reply := request.Reply()
		if err := c.client.Invoke(context.Background(), method, request.Next(tag), reply); err != nil {
			return err
		}
		return request.Check(reply)
	}
}

func (c conn) Pusher(b payload.Body) (peer.Call, error) {
	desc := &grpc.StreamDesc{StreamName: pushName(b), ClientStreams: true}
	stream, err := c.client.NewStream(context.Background(), desc, "/"+service+"/"+desc.StreamName)
	if err != nil {
		return nil, err
	}
	request := payload.NewProto(b)
	return func(tag uint32) error { return stream.SendMsg(request.Next(tag)) }, nil
}

func (c conn) Close() error { return c.client.Close() }
