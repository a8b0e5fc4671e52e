package rpc

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// inbound is one CALL or PUSH of the peer while a handler works on it. It is used again
// if nobody can have kept it.
type inbound struct {
	passage              // its Filters are those of every reply
	lazy     lazyContext // its Context, unless it has a deadline
	route    *route
	reader   *reading        // that runs the handler; nil if a worker does
	started  time.Duration   // by the clock of the session's heard
	size     int             // of the body, as counted by the endpoint
	bytes    []byte          // a request or a result of that type
	answered atomic.Bool     // who sets it sends the reply
	vacated  bool            // it does not count any more
	timed    bool            // it is looked at how long the handler takes
	timer    *handlerTimer   // of a Context with a deadline; nil without
	seen     *handlerContext // what the handler sees of it; nil before it began

	newer, older *inbound // of those that run
}

// handlerTimer is what ends the context of a handler in time.
type handlerTimer struct {
	cancel  context.CancelFunc
	unwatch func() bool // nobody need look at the deadline any more; nil if nobody does
}

// inboundPool keeps messages that nobody has any more.
type inboundPool struct{ pool sync.Pool }

// get gives one that is empty.
func (p *inboundPool) get() *inbound {
	if in, ok := p.pool.Get().(*inbound); ok {
		return in
	}
	return new(inbound)
}

func (p *inboundPool) put(in *inbound) { p.pool.Put(in) }

// recycle gives a message that was handled back to the reader that ran its handler, or to
// the pool, unless somebody may have kept it.
func (in *inbound) recycle() {
	r, e := in.reader, in.session.e
	switch {
	case !in.empty():
	case r != nil:
		r.use(in)
	default:
		e.inbounds.put(in)
	}
}

// empty makes a message ready for another one, unless somebody may have kept it: a hook with
// its exchange, who watches its deadline, or the handler. These have no use for its value.
func (in *inbound) empty() bool {
	kept := in.seen == nil || !in.seen.letGo() || in.shared.Load() != nil
	if in.timer != nil {
		return false
	}
	in.value, in.bytes = nil, nil
	if kept {
		return false
	}
	in.clear()
	in.lazy.parent, in.route, in.seen, in.reader = nil, nil, nil, nil
	if in.lazy.asked.Load() != nil { // storing is dearer than looking
		in.lazy.asked.Store(nil)
	}
	in.lazy.ended.Store(false)
	if in.answered.Load() {
		in.answered.Store(false)
	}
	in.vacated, in.timed = false, false
	return true
}

// patience is how long the caller waits, if it said so.
func (in *inbound) patience() (time.Duration, bool) {
	if in.m.Meta.Len() == 0 {
		return 0, false
	}
	return parseTimeout(in.m.Meta.Value(metaTimeout))
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

// abandon ends the context of a handler whose caller does not wait any more, that of the
// newest if a peer uses a number twice at once.
func (r *running) abandon(seq int32) {
	r.mu.Lock()
	defer r.mu.Unlock() // until then it is not used again
	in := r.newest
	for in != nil && in.m.Seq != seq {
		in = in.older
	}
	if in != nil {
		in.abandon()
	}
}

// list describes them in the order of their numbers.
func (r *running) list() []waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []waiting
	for in := r.newest; in != nil; in = in.older {
		list = append(list, waiting{in.method, in.m.Seq, in.started})
	}
	slices.SortFunc(list, bySeq)
	return list
}

// fewReplies is how many replies may be out and not done with, however few handlers may run.
const fewReplies = 64

// admit counts a handler in and gives "", or names the bound that is reached.
func (e *Endpoint) admit(in *inbound) string {
	s, r := in.session, in.route
	inSession, inEndpoint, inHand := s.running.add(in), int(e.running.Add(1)), int(e.handlers.add())
	bytes, inRoute := int(e.requestBytes.Add(int64(in.size))), r.enter()
	var reached string
	switch {
	case above(inSession, e.limits.SessionHandlers):
		reached = "too many calls of this session run"
	case above(inEndpoint, e.limits.EndpointHandlers):
		reached = "too many calls run"
	case above(inHand, e.limits.EndpointHandlers+max(e.limits.EndpointHandlers, fewReplies)):
		reached = "too many replies are not done with"
	case above(bytes, max(e.limits.RequestBytes, in.size)):
		reached = "running calls hold too much memory"
	case above(inRoute, r.limit):
		reached = "too many calls of this method run"
	default:
		return ""
	}
	in.vacate()
	e.handlers.done()
	return reached
}

// above tells whether a count is above a bound, of which 0 is none.
func above(count, most int) bool { return most > 0 && count > most }

// vacate gives the place of a handler to others. That is when its reply goes out, not
// after it: who has the answer may call again at once. The handler that ends does it, more
// than once maybe; nil is none.
func (in *inbound) vacate() {
	if in == nil || in.vacated {
		return
	}
	in.vacated = true
	e := in.session.e
	in.session.running.remove(in)
	e.requestBytes.Add(-int64(in.size))
	in.route.leave()
	e.running.Add(-1)
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
