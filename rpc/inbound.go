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
	passage                    // its Filters are those of every reply
	lazy    lazyContext        // its Context, unless it has a deadline
	cancel  context.CancelFunc // of that one; nil without
	route   *route
	started time.Duration // by the clock of the session's heard
	size    int           // of the body, as counted by the endpoint
	bytes   []byte        // a request or a result of that type

	replyMeta message.Meta // as the handler has set it
	codec     byte         // of a result, if the handler chooses one
	timed     bool         // it is looked at how long the handler takes
	added     []byte       // filters of a result besides those of the request
	answered  atomic.Bool  // who sets it sends the reply
	failure   error        // of the handler or of a hook
	unwatch   func() bool

	newer, older *inbound // of those that run
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
	count atomic.Int64

	mu     sync.Mutex
	newest *inbound // a list: every call is put in and out, few are ever looked for
}

func (r *running) add(in *inbound) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.older = r.newest; in.older != nil {
		in.older.newer = in
	}
	r.newest = in
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
func (e *Endpoint) admit(s *Session, r *route, size int) string {
	var reached string
	now := [...]int64{s.running.count.Add(1), e.running.Add(1), e.requestBytes.Add(int64(size)), r.active.Add(1)}
	switch {
	case above(now[0], e.limits.SessionHandlers):
		reached = "too many calls of this session run"
	case above(now[1], e.limits.EndpointHandlers):
		reached = "too many calls run"
	case above(now[2], max(e.limits.RequestBytes, size)):
		reached = "running calls hold too much memory"
	case r.limit > 0 && now[3] > r.limit:
		reached = "too many calls of this method run"
	default:
		return ""
	}
	e.release(s, r, size)
	return reached
}

// above tells whether a count is above a bound, of which 0 is none.
func above(count int64, most int) bool { return most > 0 && count > int64(most) }

// release undoes admit.
func (e *Endpoint) release(s *Session, r *route, size int) {
	s.running.count.Add(-1)
	e.running.Add(-1)
	e.requestBytes.Add(-int64(size))
	r.active.Add(-1)
}
