package rpc

// The hooks that are called for each message. They do what those of hookruns.go do,
// each with a loop of its own: a function in between for every hook is half of what
// hooks cost.

func (h *hooks) runBeforeWriteCall(c WriteCtx) (err error) {
	l, n := h.beforeWriteCall, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeWriteCall", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeWriteCall(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterWriteCall(c WriteCtx) error {
	if len(h.afterWriteCall) == 0 {
		return nil
	}
	return h.afterWriteCall.each(func(l list[AfterWriteCall]) (n int, err error) {
		defer l.caught("AfterWriteCall", &n, &err)
		for i := range l {
			n = i
			if err := l[i].hook.AfterWriteCall(c); err != nil {
				return n, err
			}
		}
		return len(l), nil
	})
}

func (h *hooks) runBeforeWriteReply(c WriteCtx) (err error) {
	l, n := h.beforeWriteReply, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeWriteReply", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeWriteReply(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterWriteReply(c WriteCtx) error {
	if len(h.afterWriteReply) == 0 {
		return nil
	}
	return h.afterWriteReply.each(func(l list[AfterWriteReply]) (n int, err error) {
		defer l.caught("AfterWriteReply", &n, &err)
		for i := range l {
			n = i
			if err := l[i].hook.AfterWriteReply(c); err != nil {
				return n, err
			}
		}
		return len(l), nil
	})
}

func (h *hooks) runBeforeWritePush(c WriteCtx) (err error) {
	l, n := h.beforeWritePush, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeWritePush", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeWritePush(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterWritePush(c WriteCtx) error {
	if len(h.afterWritePush) == 0 {
		return nil
	}
	return h.afterWritePush.each(func(l list[AfterWritePush]) (n int, err error) {
		defer l.caught("AfterWritePush", &n, &err)
		for i := range l {
			n = i
			if err := l[i].hook.AfterWritePush(c); err != nil {
				return n, err
			}
		}
		return len(l), nil
	})
}

func (h *hooks) runBeforeReadHeader(c EarlyCtx) (err error) {
	l, n := h.beforeReadHeader, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeReadHeader", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeReadHeader(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadCallHeader(c ReadCtx) (err error) {
	l, n := h.afterReadCallHeader, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadCallHeader", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadCallHeader(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runBeforeReadCallBody(c ReadCtx) (err error) {
	l, n := h.beforeReadCallBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeReadCallBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeReadCallBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadCallBody(c ReadCtx) (err error) {
	l, n := h.afterReadCallBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadCallBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadCallBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadPushHeader(c ReadCtx) (err error) {
	l, n := h.afterReadPushHeader, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadPushHeader", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadPushHeader(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runBeforeReadPushBody(c ReadCtx) (err error) {
	l, n := h.beforeReadPushBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeReadPushBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeReadPushBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadPushBody(c ReadCtx) (err error) {
	l, n := h.afterReadPushBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadPushBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadPushBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadReplyHeader(c ReadCtx) (err error) {
	l, n := h.afterReadReplyHeader, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadReplyHeader", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadReplyHeader(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runBeforeReadReplyBody(c ReadCtx) (err error) {
	l, n := h.beforeReadReplyBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("BeforeReadReplyBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.BeforeReadReplyBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}

func (h *hooks) runAfterReadReplyBody(c ReadCtx) (err error) {
	l, n := h.afterReadReplyBody, 0
	if len(l) == 0 {
		return nil
	}
	defer l.caught("AfterReadReplyBody", &n, &err)
	for i := range l {
		n = i
		if err := l[i].hook.AfterReadReplyBody(c); err != nil {
			return err
		}
	}
	n = len(l)
	return nil
}
