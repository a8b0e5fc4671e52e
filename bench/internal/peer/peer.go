package peer

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"github.com/dserver/dserver/bench/internal/payload"
	"github.com/dserver/dserver/internal/group"
)

// Peer is one way to call from process to process.
type Peer interface {
	Name() string
	// Serve answers what comes to ln until ctx ends, and counts in pushed the messages
	// without an answer that have come.
	Serve(ctx context.Context, ln net.Listener, pushed *atomic.Int64) error
	// Dial makes one connection. It may wait for the first call to do so.
	Dial(address string) (Conn, error)
}

// Conn is one connection to a server.
type Conn interface {
	// Caller prepares calls that are answered.
	Caller(b payload.Body) Call
	// Pusher prepares messages that have no answer; ErrNoPush if there is no such thing.
	Pusher(b payload.Body) (Call, error)
	Close() error
}

// Call makes one call, or pushes one message. The tag is another one for each call of a
// connection that is under way; the answer has been checked when Call returns.
type Call func(tag uint32) error

// ErrNoPush says that a peer has no messages without an answer.
var ErrNoPush = errors.New("the peer has no messages without an answer")

// Kind is what a peer is to the others.
type Kind int

// The kinds there are.
const (
	Others  Kind = iota // somebody else's complete implementation
	Ours                // this project's
	Ceiling             // no product; it marks what is to be had
)

// KindOf tells it by the name.
func KindOf(name string) Kind {
	switch {
	case strings.HasPrefix(name, "dserver"):
		return Ours
	case strings.HasPrefix(name, "ceil-"):
		return Ceiling
	}
	return Others
}

// Until runs a server that knows no context: stop makes serve return, whose error then
// is none.
func Until(ctx context.Context, serve func() error, stop func()) error {
	unhook := context.AfterFunc(ctx, stop)
	defer unhook()
	err := serve()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Accept hands each connection to handle, on a goroutine of its own, until ctx ends. It
// then closes the listener and all connections, and waits.
func Accept(ctx context.Context, ln net.Listener, handle func(net.Conn)) error {
	g := group.New(ctx, nil)
	err := Until(ctx, func() error {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return err
			}
			g.Go("connection", func(ctx context.Context) {
				unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
				defer unhook()
				handle(conn)
				_ = conn.Close()
			})
		}
	}, func() { _ = ln.Close() })
	return errors.Join(err, g.Stop(context.Background()))
}
