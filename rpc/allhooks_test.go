package rpc_test

import (
	"context"
	"net"

	"github.com/dserver/dserver/rpc"
)

// routeHooks is a plugin with all hooks that may stand at a route; do is told which one
// is called, and with what.
type routeHooks struct {
	named
	do func(plugin, hook string, what any) error
}

func (p routeHooks) on(hook string, what any) error { return p.do(p.Name(), hook, what) }

func (p routeHooks) AfterRegister(r rpc.Route) error        { return p.on("AfterRegister", r) }
func (p routeHooks) BeforeWriteReply(c rpc.WriteCtx) error  { return p.on("BeforeWriteReply", c) }
func (p routeHooks) AfterWriteReply(c rpc.WriteCtx) error   { return p.on("AfterWriteReply", c) }
func (p routeHooks) BeforeReadCallBody(c rpc.ReadCtx) error { return p.on("BeforeReadCallBody", c) }
func (p routeHooks) AfterReadCallBody(c rpc.ReadCtx) error  { return p.on("AfterReadCallBody", c) }
func (p routeHooks) BeforeReadPushBody(c rpc.ReadCtx) error { return p.on("BeforeReadPushBody", c) }
func (p routeHooks) AfterReadPushBody(c rpc.ReadCtx) error  { return p.on("AfterReadPushBody", c) }

// allHooks is a plugin with all 27.
type allHooks struct{ routeHooks }

func newAllHooks(name string, do func(plugin, hook string, what any) error) allHooks {
	return allHooks{routeHooks{named(name), do}}
}

func (p allHooks) BeforeNewEndpoint(c *rpc.Config) error { return p.on("BeforeNewEndpoint", c) }

func (p allHooks) AfterNewEndpoint(e *rpc.Endpoint) error { return p.on("AfterNewEndpoint", e) }

func (p allHooks) BeforeCloseEndpoint(e *rpc.Endpoint) error { return p.on("BeforeCloseEndpoint", e) }

func (p allHooks) AfterCloseEndpoint(e *rpc.Endpoint, _ error) error {
	return p.on("AfterCloseEndpoint", e)
}

func (p allHooks) AfterListen(addr net.Addr) error { return p.on("AfterListen", addr) }

func (p allHooks) BeforeDial(_ context.Context, address string, _ bool) error {
	return p.on("BeforeDial", address)
}

func (p allHooks) AfterDial(s rpc.EarlySession, _ bool) error { return p.on("AfterDial", s) }

func (p allHooks) AfterDialFail(address string, _ error, _ bool) error {
	return p.on("AfterDialFail", address)
}

func (p allHooks) AfterAccept(s rpc.EarlySession) error     { return p.on("AfterAccept", s) }
func (p allHooks) AfterDisconnect(s rpc.BaseSession) error  { return p.on("AfterDisconnect", s) }
func (p allHooks) BeforeWriteCall(c rpc.WriteCtx) error     { return p.on("BeforeWriteCall", c) }
func (p allHooks) AfterWriteCall(c rpc.WriteCtx) error      { return p.on("AfterWriteCall", c) }
func (p allHooks) BeforeWritePush(c rpc.WriteCtx) error     { return p.on("BeforeWritePush", c) }
func (p allHooks) AfterWritePush(c rpc.WriteCtx) error      { return p.on("AfterWritePush", c) }
func (p allHooks) BeforeReadHeader(c rpc.EarlyCtx) error    { return p.on("BeforeReadHeader", c) }
func (p allHooks) AfterReadCallHeader(c rpc.ReadCtx) error  { return p.on("AfterReadCallHeader", c) }
func (p allHooks) AfterReadPushHeader(c rpc.ReadCtx) error  { return p.on("AfterReadPushHeader", c) }
func (p allHooks) AfterReadReplyHeader(c rpc.ReadCtx) error { return p.on("AfterReadReplyHeader", c) }
func (p allHooks) BeforeReadReplyBody(c rpc.ReadCtx) error  { return p.on("BeforeReadReplyBody", c) }
func (p allHooks) AfterReadReplyBody(c rpc.ReadCtx) error   { return p.on("AfterReadReplyBody", c) }
