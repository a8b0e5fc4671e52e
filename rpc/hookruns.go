package rpc

import (
	"context"
	"net"
)

// One function for each hook of an endpoint and its connections: it calls those of the
// list one after the other, and costs a comparison where there are none. Where an error
// changes nothing all are called.

func (h *hooks) runBeforeNewEndpoint(c *Config) error {
	if len(h.beforeNewEndpoint) == 0 {
		return nil
	}
	return h.beforeNewEndpoint.run("BeforeNewEndpoint", func(p BeforeNewEndpoint) error { return p.BeforeNewEndpoint(c) })
}

func (h *hooks) runAfterNewEndpoint(e *Endpoint) error {
	if len(h.afterNewEndpoint) == 0 {
		return nil
	}
	return h.afterNewEndpoint.run("AfterNewEndpoint", func(p AfterNewEndpoint) error { return p.AfterNewEndpoint(e) })
}

func (h *hooks) runBeforeCloseEndpoint(e *Endpoint) error {
	if len(h.beforeCloseEndpoint) == 0 {
		return nil
	}
	return h.beforeCloseEndpoint.all("BeforeCloseEndpoint", func(p BeforeCloseEndpoint) error { return p.BeforeCloseEndpoint(e) })
}

func (h *hooks) runAfterCloseEndpoint(e *Endpoint, failure error) error {
	if len(h.afterCloseEndpoint) == 0 {
		return nil
	}
	return h.afterCloseEndpoint.all("AfterCloseEndpoint", func(p AfterCloseEndpoint) error { return p.AfterCloseEndpoint(e, failure) })
}

func (h *hooks) runAfterRegister(r Route) error {
	if len(h.afterRegister) == 0 {
		return nil
	}
	return h.afterRegister.run("AfterRegister", func(p AfterRegister) error { return p.AfterRegister(r) })
}

func (h *hooks) runAfterListen(addr net.Addr) error {
	if len(h.afterListen) == 0 {
		return nil
	}
	return h.afterListen.run("AfterListen", func(p AfterListen) error { return p.AfterListen(addr) })
}

func (h *hooks) runBeforeDial(ctx context.Context, address string, redial bool) error {
	if len(h.beforeDial) == 0 {
		return nil
	}
	return h.beforeDial.run("BeforeDial", func(p BeforeDial) error { return p.BeforeDial(ctx, address, redial) })
}

func (h *hooks) runAfterDial(s EarlySession, redial bool) error {
	if len(h.afterDial) == 0 {
		return nil
	}
	return h.afterDial.run("AfterDial", func(p AfterDial) error { return p.AfterDial(s, redial) })
}

func (h *hooks) runAfterDialFail(address string, failure error, redial bool) error {
	if len(h.afterDialFail) == 0 {
		return nil
	}
	return h.afterDialFail.all("AfterDialFail", func(p AfterDialFail) error { return p.AfterDialFail(address, failure, redial) })
}

func (h *hooks) runAfterAccept(s EarlySession) error {
	if len(h.afterAccept) == 0 {
		return nil
	}
	return h.afterAccept.run("AfterAccept", func(p AfterAccept) error { return p.AfterAccept(s) })
}

func (h *hooks) runAfterDisconnect(s BaseSession) error {
	if len(h.afterDisconnect) == 0 {
		return nil
	}
	return h.afterDisconnect.all("AfterDisconnect", func(p AfterDisconnect) error { return p.AfterDisconnect(s) })
}
