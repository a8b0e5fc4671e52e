package main

import (
	"context"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/plugin/auth"
	"github.com/dserver/dserver/rpc/plugin/heartbeat"
)

// newGuest makes the endpoint of somebody who comes: it says the name on every
// connection, also when it has to dial again, and hands on what it hears.
func newGuest(name string, hear func(Line)) (*rpc.Endpoint, error) {
	ping, err := heartbeat.NewPing(30*time.Second, heartbeat.Push)
	if err != nil {
		return nil, err
	}
	say := auth.NewBearer(func(context.Context, rpc.EarlySession) (any, error) { return name, nil })
	e, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{say, ping}})
	if err != nil {
		return nil, err
	}
	return e, rpc.HandlePush(e, "/line", func(_ rpc.Context, l Line) error {
		hear(l)
		return nil
	})
}

// enter gives a client that keeps its session: without a call it would hear nothing.
func enter(e *rpc.Endpoint, address string, news chan<- string) *rpc.Client {
	return e.Client(address, rpc.OnConnect(func(_ context.Context, s *rpc.Session) error {
		news <- "connected to " + s.RemoteAddr().String()
		return nil
	}))
}
