package ceiling

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/dserver/dserver/bench/internal/peer"
)

// Peer is one of the ceilings.
type Peer struct {
	name     string
	protobuf bool // both ends have a codec, and each request a goroutine
	combine  bool // who finds nobody writing writes for all
}

var _ peer.Peer = Peer{}

// Peers lists them.
func Peers() []peer.Peer {
	return []peer.Peer{
		Peer{name: "ceil-yield"},
		Peer{name: "ceil-pb-go", protobuf: true},
		Peer{name: "ceil-c-pb-go", protobuf: true, combine: true},
	}
}

// Name is as in the documentation of the package.
func (p Peer) Name() string { return p.name }

// Serve is as in peer.Peer.
func (p Peer) Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error {
	return peer.Accept(ctx, ln, func(c net.Conn) {
		s := &server{out: p.sender(c), pushed: pushed}
		if p.protobuf {
			s.serveProto(c)
		} else {
			s.serveBytes(c)
		}
	})
}

// Dial is as in peer.Peer.
func (p Peer) Dial(address string) (peer.Conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return newConn(p, c), nil
}

func (p Peer) sender(c net.Conn) sender {
	if p.combine {
		return newCombiner(c)
	}
	return newQueue(c)
}
