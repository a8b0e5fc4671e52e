package overload

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Options bound a plugin; a zero field takes its default.
type Options struct {
	Running int           // handlers at once; default 256
	Waiting int           // messages that wait for one of them to end; default as Running, negative is none
	Wait    time.Duration // the longest that a message waits; default 1 s
}

const (
	defaultRunning = 256
	defaultWait    = time.Second
)

// Plugin bounds the handlers of the routes for which it is called. Make one with [New].
type Plugin struct {
	most    int // that run
	mostIn  int // the queue
	longest time.Duration

	mu      sync.Mutex
	running int
	queue   list.List // of *waiter, the next one first
	stats   Stats
}

var (
	_ rpc.BeforeReadCallBody = (*Plugin)(nil)
	_ rpc.BeforeReadPushBody = (*Plugin)(nil)
	_ rpc.BeforeWriteReply   = (*Plugin)(nil)
)

// place is what a message has, once it was admitted.
type place struct {
	p     *Plugin
	taken bool // by the goroutine of the handler, which alone sees it
}

// waiter is one message in the queue.
type waiter struct {
	place chan struct{} // closed when it has one
	given bool          // it has one
}

// New returns a plugin for an endpoint, a group or a route.
func New(o Options) *Plugin {
	if o.Running <= 0 {
		o.Running = defaultRunning
	}
	if o.Waiting == 0 {
		o.Waiting = o.Running
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	return &Plugin{most: o.Running, mostIn: max(o.Waiting, 0), longest: o.Wait}
}

// Name is "overload".
func (p *Plugin) Name() string { return "overload" }

// BeforeReadCallBody waits for a place.
func (p *Plugin) BeforeReadCallBody(c rpc.ReadCtx) error { return p.enter(c) }

// BeforeReadPushBody waits for a place.
func (p *Plugin) BeforeReadPushBody(c rpc.ReadCtx) error { return p.enter(c) }

// Stats counts what happened since the plugin was made.
type Stats struct {
	Running  int   // now
	Waiting  int   // now
	Admitted int64 // that got a place
	Shed     int64 // that did not, because too many waited
	Expired  int64 // that did not in Options.Wait
	Gone     int64 // whose caller did not wait any longer
}

// Stats gives the counters now.
func (p *Plugin) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Running, s.Waiting = p.running, p.queue.Len()
	return s
}

// BeforeWriteReply gives the place away: who gets the reply may call again before it is
// known here that the reply was written. A 408 may be that of a handler which goes on.
func (p *Plugin) BeforeWriteReply(c rpc.WriteCtx) error {
	if st := c.Status(); st != nil && st.Code == status.HandleTimeout {
		return nil
	}
	if v, ok := c.Attributes().Load(p); ok {
		of, _ := v.(*place)
		of.leave()
	}
	return nil
}

func (p *Plugin) enter(c rpc.ReadCtx) error {
	of := &place{p: p}
	if _, again := c.Attributes().LoadOrStore(p, of); again {
		return nil
	}
	at, err := p.take()
	if at != nil {
		err = p.await(c, at)
	}
	if err != nil {
		return err
	}
	of.taken = true
	c.OnEnd(func(error) { of.leave() })
	return nil
}

// take gives a place at once, or one in the queue, which is not nil.
func (p *Plugin) take() (*list.Element, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.running < p.most:
		p.running++
		p.stats.Admitted++
		return nil, nil
	case p.queue.Len() < p.mostIn:
		return p.queue.PushBack(&waiter{place: make(chan struct{})}), nil
	default:
		p.stats.Shed++
		return nil, shed(fmt.Sprintf("%d handlers run and %d messages wait", p.running, p.queue.Len()))
	}
}

func shed(cause string) error { return status.New(status.Overloaded, cause).WithRetry() }

func (p *Plugin) await(c rpc.ReadCtx, at *list.Element) error {
	w, _ := at.Value.(*waiter)
	timer := time.NewTimer(p.longest)
	defer timer.Stop()
	select {
	case <-w.place:
		return nil
	case <-timer.C:
		if p.giveUp(at, w, &p.stats.Expired) {
			return shed(fmt.Sprintf("no handler was free within %v", p.longest))
		}
		return nil
	case <-c.Done():
		if !p.giveUp(at, w, &p.stats.Gone) {
			p.leave()
		}
		return c.Err()
	}
}

// giveUp leaves the queue and is false for one that has got a place meanwhile.
func (p *Plugin) giveUp(at *list.Element, w *waiter, counter *int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.given {
		return false
	}
	p.queue.Remove(at)
	*counter++
	return true
}

// leave gives the place back, if it was not yet.
func (of *place) leave() {
	if of.taken {
		of.taken = false
		of.p.leave()
	}
}

// leave gives a place to the one that has waited longest.
func (p *Plugin) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.queue.Front()
	if next == nil {
		p.running--
		return
	}
	p.queue.Remove(next)
	w, _ := next.Value.(*waiter)
	w.given = true
	close(w.place)
	p.stats.Admitted++
}
