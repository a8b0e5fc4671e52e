package rpc

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// hooks are the hooks of a set of plugins, resolved once.
type hooks struct {
	beforeNewEndpoint   list[BeforeNewEndpoint]
	afterNewEndpoint    list[AfterNewEndpoint]
	beforeCloseEndpoint list[BeforeCloseEndpoint]
	afterCloseEndpoint  list[AfterCloseEndpoint]
	afterRegister       list[AfterRegister]
	afterListen         list[AfterListen]

	beforeDial      list[BeforeDial]
	afterDial       list[AfterDial]
	afterDialFail   list[AfterDialFail]
	afterAccept     list[AfterAccept]
	afterDisconnect list[AfterDisconnect]

	beforeWriteCall  list[BeforeWriteCall]
	afterWriteCall   list[AfterWriteCall]
	beforeWriteReply list[BeforeWriteReply]
	afterWriteReply  list[AfterWriteReply]
	beforeWritePush  list[BeforeWritePush]
	afterWritePush   list[AfterWritePush]

	beforeReadHeader     list[BeforeReadHeader]
	afterReadCallHeader  list[AfterReadCallHeader]
	beforeReadCallBody   list[BeforeReadCallBody]
	afterReadCallBody    list[AfterReadCallBody]
	afterReadPushHeader  list[AfterReadPushHeader]
	beforeReadPushBody   list[BeforeReadPushBody]
	afterReadPushBody    list[AfterReadPushBody]
	afterReadReplyHeader list[AfterReadReplyHeader]
	beforeReadReplyBody  list[BeforeReadReplyBody]
	afterReadReplyBody   list[AfterReadReplyBody]
}

// list is the hooks of one kind, in the order in which they are called.
type list[H any] []named[H]

type named[H any] struct {
	plugin string
	hook   H
}

// place is where a plugin was registered.
type place int

const (
	atEndpoint place = iota
	atRoute          // or at a group of routes
)

// newHooks finds the hooks of plugins. Those at a route may have hooks only that are
// called for a route.
func newHooks(at place, plugins ...Plugin) (*hooks, error) {
	h := new(hooks)
	for _, p := range plugins {
		if p == nil || p.Name() == "" {
			return nil, fmt.Errorf("cannot use plugin %v: it needs a name", p)
		}
		all, forRoute := h.addRouteHooks(p), 0
		forRoute = all
		all += h.addEndpointHooks(p) + h.addConnectionHooks(p) + h.addCallerHooks(p)
		switch {
		case all == 0:
			return nil, fmt.Errorf("cannot use plugin %s: it has no hook; are its methods on the pointer?", p.Name())
		case at == atRoute && all > forRoute:
			return nil, fmt.Errorf("cannot use plugin %s for a route: it has hooks that are called for an endpoint only", p.Name())
		}
	}
	return h, nil
}

// pick adds p to the list if it has the hook; it counts those.
func pick[H any](l *list[H], p Plugin) int {
	h, ok := p.(H)
	if !ok {
		return 0
	}
	*l = append(*l, named[H]{p.Name(), h})
	return 1
}

func (h *hooks) addRouteHooks(p Plugin) int {
	return pick(&h.afterRegister, p) +
		pick(&h.beforeWriteReply, p) + pick(&h.afterWriteReply, p) +
		pick(&h.beforeReadCallBody, p) + pick(&h.afterReadCallBody, p) +
		pick(&h.beforeReadPushBody, p) + pick(&h.afterReadPushBody, p)
}

func (h *hooks) addEndpointHooks(p Plugin) int {
	return pick(&h.beforeNewEndpoint, p) + pick(&h.afterNewEndpoint, p) +
		pick(&h.beforeCloseEndpoint, p) + pick(&h.afterCloseEndpoint, p) + pick(&h.afterListen, p)
}

func (h *hooks) addConnectionHooks(p Plugin) int {
	return pick(&h.beforeDial, p) + pick(&h.afterDial, p) + pick(&h.afterDialFail, p) +
		pick(&h.afterAccept, p) + pick(&h.afterDisconnect, p)
}

func (h *hooks) addCallerHooks(p Plugin) int {
	return pick(&h.beforeWriteCall, p) + pick(&h.afterWriteCall, p) +
		pick(&h.beforeWritePush, p) + pick(&h.afterWritePush, p) +
		pick(&h.beforeReadHeader, p) + pick(&h.afterReadCallHeader, p) + pick(&h.afterReadPushHeader, p) +
		pick(&h.afterReadReplyHeader, p) + pick(&h.beforeReadReplyBody, p) + pick(&h.afterReadReplyBody, p)
}

// HookError is a hook that panicked.
type HookError struct {
	Plugin string // its name
	Hook   string // the method that panicked
	Value  any    // what it panicked with
	Stack  []byte
}

// Error leaves out the stack.
func (e *HookError) Error() string {
	return fmt.Sprintf("plugin %s panicked in %s: %v", e.Plugin, e.Hook, e.Value)
}

// Unwrap gives what it panicked with if that was an error.
func (e *HookError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// run calls the hooks one after the other until one fails.
func (l list[H]) run(hook string, f func(H) error) error {
	_, err := l.until(hook, f)
	return err
}

// all calls every hook, also after one that failed: it may have to give something back.
func (l list[H]) all(hook string, f func(H) error) error {
	return l.each(func(l list[H]) (int, error) { return l.until(hook, f) })
}

// each goes on with the hooks behind the one that failed until there is no more;
// until is what calls them up to there.
func (l list[H]) each(until func(list[H]) (int, error)) error {
	var errs []error
	for len(l) > 0 {
		n, err := until(l)
		if err == nil {
			break
		}
		errs = append(errs, err)
		l = l[n+1:]
	}
	return errors.Join(errs...)
}

// until calls the hooks up to the first that fails, which is number n.
func (l list[H]) until(hook string, f func(H) error) (n int, err error) {
	defer l.caught(hook, &n, &err)
	for i := range l {
		n = i
		if err := f(l[i].hook); err != nil {
			return n, err
		}
	}
	return len(l), nil
}

// caught makes an error of what hook number n panicked with, if there is one. It is
// to be deferred.
func (l list[H]) caught(hook string, n *int, err *error) {
	if *n == len(l) {
		return
	}
	if v := recover(); v != nil {
		*err = &HookError{Plugin: l[*n].plugin, Hook: hook, Value: v, Stack: debug.Stack()}
	}
}

// note logs the error of a hook that changes nothing.
func note(log *slog.Logger, hook string, err error) {
	if err == nil {
		return
	}
	log.Warn("hook failed", failure(err, "hook", hook)...)
}

// failure is what a log line says of an error besides args: if a hook panicked, where.
func failure(err error, args ...any) []any {
	args = append(args, "error", err)
	var panicked *HookError
	if errors.As(err, &panicked) {
		args = append(args, "stack", string(panicked.Stack))
	}
	return args
}
