package rpc

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// inbound is one CALL or PUSH of the peer while a handler works on it; the
// handler sees it as its Context.
type inbound struct {
	passage              // its Filters are those of every reply
	lazy     lazyContext // its Context, unless it has a deadline
	route    *route
	started  time.Duration // by the clock of the session's heard
	size     int           // of the body, as counted by the endpoint
	bytes    []byte        // a request or a result of that type
	answered atomic.Bool   // who sets it sends the reply
	timed    bool          // it is looked at how long the handler takes
	extra    *extra        // what most do not have

	newer, older *inbound // of those that run
}

// extra is what few messages need while a handler works on them.
type extra struct {
	cancel  context.CancelFunc // of a Context with a deadline; nil without
	unwatch func() bool        // nobody need look at that deadline any more; nil if nobody does

	meta    message.Meta // of the reply
	codec   byte         // of the result, if the handler chooses one
	filters []byte       // of the result besides those of the request
}

// more makes the extra of a message. Who only looks at it gets an empty one.
func (in *inbound) more() *extra {
	if in.extra == nil {
		in.extra = new(extra)
	}
	return in.extra
}

// parseTimeout reads the caller's patience. What is no positive number of
// milliseconds is ignored, as an older peer would ignore it.
func parseTimeout(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	const most = int64(365 * 24 * time.Hour / time.Millisecond)
	if err != nil || ms <= 0 {
		return 0, false
	}
	return time.Duration(min(ms, most)) * time.Millisecond, true
}

// running holds what the handlers of a session work on.
type running struct {
	mu     sync.Mutex
	count  int
	newest *inbound // a list: every call is put in and out, few are ever looked for
}

// add gives how many there are now.
func (r *running) add(in *inbound) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.older = r.newest; in.older != nil {
		in.older.newer = in
	}
	r.newest = in
	r.count++
	return r.count
}

func (r *running) remove(in *inbound) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.older != nil {
		in.older.newer = in.newer
	}
	if in.newer != nil {
		in.newer.older = in.older
	} else {
		r.newest = in.older
	}
	in.newer, in.older = nil, nil
	r.count--
}

// lookup gives the newest if a peer uses a number twice at once.
func (r *running) lookup(seq int32) *inbound {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.newest
	for in != nil && in.m.Seq != seq {
		in = in.older
	}
	return in
}

// list gives them in the order of their numbers.
func (r *running) list() []*inbound {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*inbound
	for in := r.newest; in != nil; in = in.older {
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b *inbound) int { return int(int64(a.m.Seq) - int64(b.m.Seq)) })
	return list
}

// admit counts a handler in and gives "", or names the bound that is reached.
func (e *Endpoint) admit(in *inbound) string {
	s, r := in.session, in.route
	inSession, inEndpoint := s.running.add(in), int(e.handlers.add())
	bytes, inRoute := int(e.requestBytes.Add(int64(in.size))), r.enter()
	var reached string
	switch {
	case above(inSession, e.limits.SessionHandlers):
		reached = "too many calls of this session run"
	case above(inEndpoint, e.limits.EndpointHandlers):
		reached = "too many calls run"
	case above(bytes, max(e.limits.RequestBytes, in.size)):
		reached = "running calls hold too much memory"
	case above(inRoute, r.limit):
		reached = "too many calls of this method run"
	default:
		return ""
	}
	e.release(in)
	return reached
}

// above tells whether a count is above a bound, of which 0 is none.
func above(count, most int) bool { return most > 0 && count > most }

// release undoes admit.
func (e *Endpoint) release(in *inbound) {
	in.session.running.remove(in)
	e.requestBytes.Add(-int64(in.size))
	in.route.leave()
	e.handlers.done()
}

// enter counts a handler of a route that has a limit and gives how many there are now.
func (r *route) enter() int {
	if r.limit == 0 {
		return 0
	}
	return int(r.active.Add(1))
}

func (r *route) leave() {
	if r.limit != 0 {
		r.active.Add(-1)
	}
}
