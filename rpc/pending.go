package rpc

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc/status"
)

// pending holds the calls of a session that wait for their reply.
type pending struct {
	most int

	mu    sync.Mutex
	last  int32          // the number given last; CALL and PUSH share the counter
	slots []*call        // by the last bits of their numbers; a power of two, half of them free
	count int            // calls
	err   *status.Status // set: the session has ended
}

const (
	fewestSlots = 8
	keptSlots   = 1 << 10 // more are let go when no call waits
)

// call is one call that waits, or a push; it embeds its request. It is used again when it
// has ended: who has taken it out of pending must not touch it once done has its value.
type call struct {
	passage
	options callOptions
	started time.Duration  // by the clock of the session's heard
	bytes   bool           // the caller wants the body as it is
	done    chan struct{}  // gets one value when the reply or err is set
	reply   passage        // its Body is the call's own
	err     *status.Status // why there will be no reply
}

// callPool keeps calls that have ended.
type callPool struct{ pool sync.Pool }

func (p *callPool) get(opts []CallOption) *call {
	c, ok := p.pool.Get().(*call)
	if !ok {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.options.apply(opts)
	return c
}

func (p *callPool) put(c *call) {
	c.clear()
	c.options = callOptions{}
	p.pool.Put(c)
}

// clear leaves the options alone.
func (c *call) clear() {
	c.passage.clear()
	c.reply.clear()
	c.err = nil
}

// add numbers a new call.
func (p *pending) add(c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if p.count >= p.most {
		cause := fmt.Sprintf("%d calls of this session wait already", p.most)
		return status.New(status.Overloaded, cause).WithRetry()
	}
	if p.count++; 2*p.count > len(p.slots) {
		p.grow()
	}
	p.last++ // wraps to negative numbers, as the wire allows
	for *p.slot(p.last) != nil {
		p.last++ // of an earlier call that takes long
	}
	c.m.Seq = p.last
	*p.slot(c.m.Seq) = c
	return nil
}

func (p *pending) slot(seq int32) **call { return &p.slots[int(seq)&(len(p.slots)-1)] }

// grow doubles the slots. Numbers that differ in their last bits do so with one bit more.
func (p *pending) grow() {
	old := p.slots
	p.slots = make([]*call, max(fewestSlots, 2*len(old)))
	for _, c := range old {
		if c != nil {
			*p.slot(c.m.Seq) = c
		}
	}
}

// number gives the next number without a call, for a PUSH.
func (p *pending) number() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	return p.last
}

// begun tells whether a number was given.
func (p *pending) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last != 0
}

// take removes the call; whoever gets it, not nil, decides how it ends. others is how
// many wait still.
func (p *pending) take(seq int32) (c *call, others int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slots) == 0 {
		return nil, 0
	}
	slot := p.slot(seq)
	if c = *slot; c == nil || c.m.Seq != seq {
		return nil, p.count
	}
	*slot = nil
	if p.count--; p.count == 0 && len(p.slots) > keptSlots {
		p.slots = nil
	}
	return c, p.count
}

// fail ends all calls, and with final all later ones too. unsent tells of a
// number whether the peer is known not to have executed it.
func (p *pending) fail(cause error, final bool, unsent func(seq int32) bool) {
	p.mu.Lock()
	slots := p.slots
	p.slots, p.count = nil, 0
	if final && p.err == nil {
		p.err = connectionClosed(cause, true)
	}
	p.mu.Unlock()
	for _, c := range slots {
		if c != nil {
			c.err = connectionClosed(cause, unsent(c.m.Seq))
			c.done <- struct{}{}
		}
	}
}

// waiting describes a call, ours or the peer's.
type waiting struct {
	method  string
	seq     int32
	started time.Duration
}

func bySeq(a, b waiting) int { return int(int64(a.seq) - int64(b.seq)) }

// list describes the calls in the order of their numbers.
func (p *pending) list() []waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]waiting, 0, p.count)
	for _, c := range p.slots {
		if c != nil {
			calls = append(calls, waiting{c.method, c.m.Seq, c.started})
		}
	}
	slices.SortFunc(calls, bySeq)
	return calls
}
