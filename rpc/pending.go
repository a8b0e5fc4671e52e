package rpc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/status"
)

// pending holds the calls of a session that wait for their reply.
type pending struct {
	most int

	mu    sync.Mutex
	last  int32           // the number given last; CALL and PUSH share the counter
	calls map[int32]*call // by number
	err   *status.Status  // set: the session has ended
}

// call is one call that waits; it embeds its request. It is used again when it has
// ended: who has taken it out of pending must not touch it once done has its value.
type call struct {
	passage
	options callOptions
	started time.Time
	done    chan struct{}  // gets one value when the reply or err is set
	reply   passage        // its Body is the call's own
	err     *status.Status // why there will be no reply
}

// callPool keeps calls that have ended.
type callPool struct{ pool sync.Pool }

func (p *callPool) get() *call {
	if c, ok := p.pool.Get().(*call); ok {
		return c
	}
	return &call{done: make(chan struct{}, 1)}
}

func (p *callPool) put(c *call) {
	c.passage.clear()
	c.reply.clear()
	c.options, c.err = callOptions{}, nil
	p.pool.Put(c)
}

// begin sets what the caller gave.
func (c *call) begin(ctx context.Context, s *Session, method string, req any) {
	c.Context, c.session, c.method, c.value = ctx, s, method, req
	c.m.Type, c.m.Method = message.Call, method
	c.started = time.Now()
}

// add numbers a new call.
func (p *pending) add(c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if len(p.calls) >= p.most {
		cause := fmt.Sprintf("%d calls of this session wait already", p.most)
		return status.New(status.Overloaded, cause).WithRetry()
	}
	for {
		p.last++ // wraps to negative numbers, as the wire allows
		if _, taken := p.calls[p.last]; !taken {
			break
		}
	}
	c.m.Seq = p.last
	p.calls[c.m.Seq] = c
	return nil
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

// take removes the call; whoever gets it, not nil, decides how it ends.
func (p *pending) take(seq int32) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[seq]
	delete(p.calls, seq)
	return c
}

// fail ends all calls, and with final all later ones too. unsent tells of a
// number whether the peer is known not to have executed it.
func (p *pending) fail(cause error, final bool, unsent func(seq int32) bool) {
	p.mu.Lock()
	calls := p.calls
	p.calls = make(map[int32]*call)
	if final && p.err == nil {
		p.err = connectionClosed(cause, true)
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.err = connectionClosed(cause, unsent(c.m.Seq))
		c.done <- struct{}{}
	}
}

// waiting describes a call.
type waiting struct {
	method  string
	seq     int32
	started time.Time
}

// list describes the calls in the order of their numbers.
func (p *pending) list() []waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]waiting, 0, len(p.calls))
	for seq, c := range p.calls {
		calls = append(calls, waiting{c.method, seq, c.started})
	}
	slices.SortFunc(calls, func(a, b waiting) int { return int(int64(a.seq) - int64(b.seq)) })
	return calls
}
