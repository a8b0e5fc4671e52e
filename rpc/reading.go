package rpc

import (
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc/message"
)

// manyContexts is how many contexts are made at once, which is cheaper. Who keeps one keeps
// all of them, so those that have more than themselves are made one by one.
const manyContexts = 8

// reading is the time of one goroutine as the reader of a session.
type reading struct {
	s     *Session
	state atomic.Uint64 // goes up with each handler that begins or ends: it is odd while one runs
	watch atomic.Bool   // the relief knows of it

	in       *inbound         // what the next message is read into; nil if a handler has got it
	meta     message.Meta     // the memory for the metadata of the next one then
	contexts []handlerContext // for handlers, not used yet
	route    *route           // of the handler that runs, or ran last
	burst    int              // messages with short pauses between them
	last     time.Duration    // when the last of them came, by the clock of the session's heard

	seen  uint64 // the state at the last look; the relief's own
	quiet int    // looks without a change; the relief's own
}

// room gives the memory for the next message, empty.
func (r *reading) room() *message.Message {
	if r.in == nil {
		r.use(r.s.e.inbounds.get())
	}
	r.in.m.Reset()
	return &r.in.m
}

// use has the next message read into in, which is empty.
func (r *reading) use(in *inbound) { r.in, in.m.Meta = in, r.meta }

// take gives the message that was read to who works on it. Body and filters still lie in
// the buffer of the session's read.
func (r *reading) take() *inbound {
	in := r.in
	r.in, r.meta = nil, in.m.Meta
	in.Context, in.session, in.method = r.s.ctx, r.s, in.m.Method
	in.m.Meta = in.m.Meta.Clone()
	return in
}

// prepare makes contexts for the handlers of this message and of those that have come with
// it, if there are some. Those that are left are dropped before the reader waits.
func (r *reading) prepare() {
	if len(r.contexts) == 0 && r.s.read.waiting() {
		r.contexts = make([]handlerContext, manyContexts)
	}
}

// context gives one of those that were prepared, if there is one and it may be shared so; r
// is nil for a worker.
func (r *reading) context(in *inbound) *handlerContext {
	alone := in.m.Meta.Len() > 0 || in.timer != nil || in.shared.Load() != nil
	if alone || r == nil || len(r.contexts) == 0 {
		return new(handlerContext)
	}
	c := &r.contexts[0]
	r.contexts = r.contexts[1:]
	return c
}
