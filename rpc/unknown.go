package rpc

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// HandleUnknownCall registers f for the CALLs to which no route answers: all, or those
// below the prefix of a group; the longest prefix counts. body is as it came, in the
// codec ctx.Codec(); the result is encoded as that of a route is, []byte being passed as
// they are: see ctx.SetCodec.
func HandleUnknownCall(r Registrar, f func(ctx Context, body []byte) (any, error), opts ...RouteOption) error {
	at, err := where(r, "unknown calls", f != nil)
	if err != nil {
		return err
	}
	route := newRoute(at.prefix, false, opts)
	route.req, route.res = reflect.TypeFor[[]byte](), reflect.TypeFor[any]()
	route.handle = func(in *inbound) (any, error) {
		var body []byte
		if err := in.decode(&body); err != nil {
			return nil, err
		}
		return f(in.context(), body)
	}
	return at.addUnknown(route)
}

// HandleUnknownPush is [HandleUnknownCall] for PUSHes. Those below /_ are the
// endpoint's own.
func HandleUnknownPush(r Registrar, f func(ctx Context, body []byte) error, opts ...RouteOption) error {
	at, err := where(r, "unknown pushes", f != nil)
	if err != nil {
		return err
	}
	route := newRoute(at.prefix, true, opts)
	route.req = reflect.TypeFor[[]byte]()
	route.handle = func(in *inbound) (any, error) {
		var body []byte
		if err := in.decode(&body); err != nil {
			return nil, err
		}
		return nil, f(in.context(), body)
	}
	return at.addUnknown(route)
}

func (at *scope) addUnknown(r *route) error {
	r.own = slices.Concat(at.plugins, r.own)
	h, err := at.e.routeHooks(r.own)
	if err == nil {
		r.hooks = h
		err = at.e.router.addUnknown(r)
	}
	if err != nil {
		return fmt.Errorf("cannot register a handler of what is unknown: %w", err)
	}
	return nil
}

// addUnknown keeps the list in the order of the longest prefix.
func (r *router) addUnknown(n *route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*route
	if old := r.unknown.Load(); old != nil {
		list = slices.Clone(*old)
	}
	for _, o := range list {
		if o.push == n.push && o.method == n.method {
			return errors.New("there is one already")
		}
	}
	list = append(list, n)
	slices.SortStableFunc(list, func(a, b *route) int { return len(b.method) - len(a.method) })
	r.unknown.Store(&list)
	return nil
}

func (r *router) lookupUnknown(push bool, method string) *route {
	list := r.unknown.Load()
	if list == nil || method == "" || strings.HasPrefix(method, reservedPrefix) {
		return nil
	}
	for _, o := range *list {
		if o.push == push && below(method, o.method) {
			return o
		}
	}
	return nil
}

// below tells whether the method is under the prefix, not only begins like it.
func below(method, prefix string) bool {
	rest, ok := strings.CutPrefix(method, strings.TrimRight(prefix, "/."))
	return ok && (prefix == "" || rest != "" && (rest[0] == '/' || rest[0] == '.'))
}
