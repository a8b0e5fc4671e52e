package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dserver/dserver/rpc/codec"
	"github.com/dserver/dserver/rpc/filter"
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
	Filters    []filter.Filter       // that messages may have; default none
	Transports []transport.Transport // for Dial, Client and Listen; default tcp and unix

	// Plugins have hooks that run before those of groups and routes, LastPlugins have
	// some that run after them.
	Plugins, LastPlugins []Plugin

	// Mapper makes the names of routes from those in Go; default HTTPMapper.
	Mapper Mapper

	// Socket sets options of the connections that have them; default those of package net.
	Socket Socket

	// CallTimeout is the deadline of own calls whose context has none. 0 is no limit.
	CallTimeout time.Duration

	// SessionAge is how long a session may live. Then its peer is asked to take new calls
	// elsewhere, what runs is finished, and the session ends with [ErrAge]. 0 is no limit.
	SessionAge time.Duration

	// HandlerTimeout is how long a handler may take before its caller is told
	// 408. The shorter of it and the caller's own deadline counts. 0 is no limit.
	HandlerTimeout time.Duration
}

// sets are what an endpoint looks up by ids and names.
type sets struct {
	codecs     *codec.Registry
	filters    *filter.Registry
	transports *transport.Set
}

// normalise gives a copy with the defaults filled in.
func (c Config) normalise() (Config, error) {
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
	if c.Mapper == nil {
		c.Mapper = HTTPMapper
	}
	err := errors.Join(
		notNegative("HandlerTimeout", c.HandlerTimeout),
		notNegative("CallTimeout", c.CallTimeout),
		notNegative("SessionAge", c.SessionAge),
		c.Socket.check(),
	)
	if err != nil {
		return c, err
	}
	c.Limits, err = c.Limits.normalise()
	return c, err
}

func notNegative[T int | time.Duration](name string, value T) error {
	if value < 0 {
		return fmt.Errorf("%s is %v, it must not be negative", name, value)
	}
	return nil
}

func (c Config) sets() (s sets, err error) {
	if s.codecs, err = codec.NewRegistry(c.Codecs...); err != nil {
		return s, err
	}
	if s.filters, err = filter.NewRegistry(c.Filters...); err != nil {
		return s, err
	}
	s.transports, err = transport.NewSet(c.Transports...)
	return s, err
}
