package rpc

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// route is one entry of the router.
type route struct {
	method  string
	push    bool
	handle  func(in *inbound) (any, error)
	req     reflect.Type
	res     reflect.Type // nil for a push
	ordered bool
	inline  bool // always runs on the reader's goroutine
	timeout time.Duration
	limit   int // of those that run at once; 0 is none
	active  atomic.Int64
	pace    pace
	own     []Plugin // of the route alone
	hooks   *hooks   // of all plugins that it is concerned by
}

// router finds routes by name; CALL and PUSH have tables of their own. Tables
// are replaced, never changed, so that finding takes no lock.
type router struct {
	mu    sync.Mutex
	calls atomic.Pointer[map[string]*route]
	pushs atomic.Pointer[map[string]*route]

	unknown atomic.Pointer[[]*route] // those for what the tables do not have
}

func (r *router) table(push bool) *atomic.Pointer[map[string]*route] {
	if push {
		return &r.pushs
	}
	return &r.calls
}

func (r *router) lookup(push bool, method string) *route {
	if table := r.table(push).Load(); table != nil {
		if found := (*table)[method]; found != nil {
			return found
		}
	}
	return r.lookupUnknown(push, method)
}

// add registers all routes or none.
func (r *router) add(routes []*route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	tables := map[bool]map[string]*route{false: r.clone(false), true: r.clone(true)}
	for _, n := range routes {
		if err := checkMethod(n.method); err != nil {
			return fmt.Errorf("cannot register %q: %w", n.method, err)
		}
		if tables[n.push][n.method] != nil {
			return fmt.Errorf("cannot register %q: the route is taken", n.method)
		}
		tables[n.push][n.method] = n
	}
	for push, table := range tables {
		r.table(push).Store(&table)
	}
	return nil
}

func (r *router) clone(push bool) map[string]*route {
	if table := r.table(push).Load(); table != nil {
		return maps.Clone(*table)
	}
	return make(map[string]*route)
}

// maxMethod is what the protocol with the shortest field can carry, in bytes.
const maxMethod = 255

func checkMethod(method string) error {
	switch {
	case method == "":
		return errors.New("the name is empty")
	case len(method) > maxMethod:
		return fmt.Errorf("the name has %d bytes, the most is %d", len(method), maxMethod)
	case strings.HasPrefix(method, reservedPrefix):
		return fmt.Errorf("names that begin with %q are reserved", reservedPrefix)
	default:
		return nil
	}
}

// Route describes what is registered.
type Route struct {
	Method  string
	Push    bool         // else it is a CALL
	Request reflect.Type // what the handler takes
	Reply   reflect.Type // what it returns; nil for a PUSH
	Ordered bool         // see the option
	Plugins []string     // names of those of its groups and its own
}

func (r *route) describe() Route {
	d := Route{Method: r.method, Push: r.push, Request: r.req, Reply: r.res, Ordered: r.ordered}
	for _, p := range r.own {
		d.Plugins = append(d.Plugins, p.Name())
	}
	return d
}

// Routes lists what is registered, sorted by method, a CALL before its PUSH.
func (e *Endpoint) Routes() []Route {
	var list []Route
	for _, push := range []bool{false, true} {
		for _, r := range e.router.clone(push) {
			list = append(list, r.describe())
		}
	}
	slices.SortFunc(list, func(a, b Route) int {
		if c := strings.Compare(a.Method, b.Method); c != 0 || a.Push == b.Push {
			return c
		}
		if b.Push {
			return -1
		}
		return 1
	})
	return list
}

// takesBytes tells whether the handler wants the body as it is.
func (r *route) takesBytes() bool { return r.req == reflect.TypeFor[[]byte]() }

// newRoute applies the options.
func newRoute(method string, push bool, opts []RouteOption) *route {
	var o routeOptions
	for _, opt := range opts {
		opt(&o)
	}
	r := &route{method: method, push: push, ordered: o.ordered, inline: o.inline, timeout: o.timeout, limit: o.limit, own: o.plugins}
	r.pace.add(unknownPace, 1)
	return r
}
