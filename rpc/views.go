package rpc

import (
	"context"
	"net"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// A [Session] is seen in four ways in the course of its life: as EarlySession while
// it is set up, as CtxSession or Session while it works, as BaseSession when it has
// ended.
var (
	_ EarlySession = (*Session)(nil)
	_ CtxSession   = (*Session)(nil)
	_ BaseSession  = (*Session)(nil)
)

// BaseSession is what remains when a session has ended.
type BaseSession interface {
	ID() string
	Dialed() bool
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	Attributes() *Attributes
	Err() error
}

// EarlySession is a session whose connection is made and over which nothing else is
// read or written yet: it belongs to [AfterDial] or [AfterAccept]. All of that takes
// Limits.HandshakeTime at most, then the session ends.
type EarlySession interface {
	BaseSession
	SetID(id string)
	Conn() net.Conn
	ControlFD(f func(fd uintptr)) error
	SendAuth(t message.Type, st *status.Status, body any) error
	ReceiveAuth(body any) (*message.Message, error)
}

// CtxSession is a session as handlers see it.
type CtxSession interface {
	BaseSession
	SetID(id string)
	Healthy() bool
	Done() <-chan struct{}
	GoingAway() <-chan struct{}
	Call(ctx context.Context, method string, req, res any, opts ...CallOption) error
	Push(ctx context.Context, method string, body any, opts ...CallOption) error
	Close() error
}
