package rpc

import (
	"context"
	"net"
)

// One function for each hook: it calls those of the list one after the other, and
// costs a comparison where there are none. Where an error changes nothing all are called.

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

func (h *hooks) runBeforeWriteCall(c WriteCtx) error {
	if len(h.beforeWriteCall) == 0 {
		return nil
	}
	return h.beforeWriteCall.run("BeforeWriteCall", func(p BeforeWriteCall) error { return p.BeforeWriteCall(c) })
}

func (h *hooks) runAfterWriteCall(c WriteCtx) error {
	if len(h.afterWriteCall) == 0 {
		return nil
	}
	return h.afterWriteCall.all("AfterWriteCall", func(p AfterWriteCall) error { return p.AfterWriteCall(c) })
}

func (h *hooks) runBeforeWriteReply(c WriteCtx) error {
	if len(h.beforeWriteReply) == 0 {
		return nil
	}
	return h.beforeWriteReply.run("BeforeWriteReply", func(p BeforeWriteReply) error { return p.BeforeWriteReply(c) })
}

func (h *hooks) runAfterWriteReply(c WriteCtx) error {
	if len(h.afterWriteReply) == 0 {
		return nil
	}
	return h.afterWriteReply.all("AfterWriteReply", func(p AfterWriteReply) error { return p.AfterWriteReply(c) })
}

func (h *hooks) runBeforeWritePush(c WriteCtx) error {
	if len(h.beforeWritePush) == 0 {
		return nil
	}
	return h.beforeWritePush.run("BeforeWritePush", func(p BeforeWritePush) error { return p.BeforeWritePush(c) })
}

func (h *hooks) runAfterWritePush(c WriteCtx) error {
	if len(h.afterWritePush) == 0 {
		return nil
	}
	return h.afterWritePush.all("AfterWritePush", func(p AfterWritePush) error { return p.AfterWritePush(c) })
}

func (h *hooks) runBeforeReadHeader(c EarlyCtx) error {
	if len(h.beforeReadHeader) == 0 {
		return nil
	}
	return h.beforeReadHeader.run("BeforeReadHeader", func(p BeforeReadHeader) error { return p.BeforeReadHeader(c) })
}

func (h *hooks) runAfterReadCallHeader(c ReadCtx) error {
	if len(h.afterReadCallHeader) == 0 {
		return nil
	}
	return h.afterReadCallHeader.run("AfterReadCallHeader", func(p AfterReadCallHeader) error { return p.AfterReadCallHeader(c) })
}

func (h *hooks) runBeforeReadCallBody(c ReadCtx) error {
	if len(h.beforeReadCallBody) == 0 {
		return nil
	}
	return h.beforeReadCallBody.run("BeforeReadCallBody", func(p BeforeReadCallBody) error { return p.BeforeReadCallBody(c) })
}

func (h *hooks) runAfterReadCallBody(c ReadCtx) error {
	if len(h.afterReadCallBody) == 0 {
		return nil
	}
	return h.afterReadCallBody.run("AfterReadCallBody", func(p AfterReadCallBody) error { return p.AfterReadCallBody(c) })
}

func (h *hooks) runAfterReadPushHeader(c ReadCtx) error {
	if len(h.afterReadPushHeader) == 0 {
		return nil
	}
	return h.afterReadPushHeader.run("AfterReadPushHeader", func(p AfterReadPushHeader) error { return p.AfterReadPushHeader(c) })
}

func (h *hooks) runBeforeReadPushBody(c ReadCtx) error {
	if len(h.beforeReadPushBody) == 0 {
		return nil
	}
	return h.beforeReadPushBody.run("BeforeReadPushBody", func(p BeforeReadPushBody) error { return p.BeforeReadPushBody(c) })
}

func (h *hooks) runAfterReadPushBody(c ReadCtx) error {
	if len(h.afterReadPushBody) == 0 {
		return nil
	}
	return h.afterReadPushBody.run("AfterReadPushBody", func(p AfterReadPushBody) error { return p.AfterReadPushBody(c) })
}

func (h *hooks) runAfterReadReplyHeader(c ReadCtx) error {
	if len(h.afterReadReplyHeader) == 0 {
		return nil
	}
	return h.afterReadReplyHeader.run("AfterReadReplyHeader", func(p AfterReadReplyHeader) error { return p.AfterReadReplyHeader(c) })
}

func (h *hooks) runBeforeReadReplyBody(c ReadCtx) error {
	if len(h.beforeReadReplyBody) == 0 {
		return nil
	}
	return h.beforeReadReplyBody.run("BeforeReadReplyBody", func(p BeforeReadReplyBody) error { return p.BeforeReadReplyBody(c) })
}

func (h *hooks) runAfterReadReplyBody(c ReadCtx) error {
	if len(h.afterReadReplyBody) == 0 {
		return nil
	}
	return h.afterReadReplyBody.run("AfterReadReplyBody", func(p AfterReadReplyBody) error { return p.AfterReadReplyBody(c) })
}
