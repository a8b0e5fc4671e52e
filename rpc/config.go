package rpc

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/proto"
	"github.com/dserver/dserver/rpc/proto/raw"
	"github.com/dserver/dserver/rpc/transport"
	"github.com/dserver/dserver/rpc/transport/tcp"
	"github.com/dserver/dserver/rpc/transport/unix"
)

// Config describes an endpoint; the zero value works.
type Config struct {
	Name   string       // appears in logs; default "rpc"
	Logger *slog.Logger // default slog.Default()
	Limits Limits

	Proto      proto.Factory         // how messages are written; default raw
	Codecs     []codec.Codec         // for bodies, the first is the default; default JSON
	Transports []transport.Transport // for Dial, Client and Listen; default tcp and unix

	// HandlerTimeout is how long a handler may take before its caller is told
	// 408. The shorter of it and the caller's own deadline counts. 0 is no limit.
	HandlerTimeout time.Duration
}

// normalise gives a copy with the defaults filled in, and its sets.
func (c Config) normalise() (Config, *codec.Registry, *transport.Set, error) {
	if c.Name == "" {
		c.Name = "rpc"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Proto == nil {
		c.Proto = raw.New
	}
	if c.Codecs == nil {
		c.Codecs = []codec.Codec{codec.JSON{}}
	}
	if c.Transports == nil {
		c.Transports = []transport.Transport{tcp.Transport{}, unix.Transport{}}
	}
	if c.HandlerTimeout < 0 {
		return c, nil, nil, fmt.Errorf("HandlerTimeout is %v, it must not be negative", c.HandlerTimeout)
	}
	var err error
	if c.Limits, err = c.Limits.normalise(); err != nil {
		return c, nil, nil, err
	}
	codecs, err := codec.NewRegistry(c.Codecs...)
	if err != nil {
		return c, nil, nil, err
	}
	transports, err := transport.NewSet(c.Transports...)
	return c, codecs, transports, err
}
