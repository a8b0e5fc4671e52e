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

// call is one call that waits; it embeds its request.
type call struct {
	passage
	started time.Time
	done    chan struct{}  // gets one value when the reply or err is set
	reply   passage        // its Body is the call's own
	err     *status.Status // why there will be no reply
}

func newCall(ctx context.Context, s *Session, method string, req any) *call {
	c := &call{
		passage: passage{Context: ctx, session: s, method: method, value: req},
		started: time.Now(), done: make(chan struct{}, 1),
	}
	c.m.Type, c.m.Method = message.Call, method
	return c
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

// list gives the calls in the order of their numbers.
func (p *pending) list() []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]*call, 0, len(p.calls))
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b *call) int { return int(int64(a.m.Seq) - int64(b.m.Seq)) })
	return calls
}
