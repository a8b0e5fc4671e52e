package multi

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Pick is how a pool chooses a client for a call.
type Pick int

const (
	// LeastPending takes the client with the fewest calls under way.
	LeastPending Pick = iota
	// RoundRobin takes one after the other.
	RoundRobin
)

// Options of a pool; the zero value works.
type Options struct {
	Size   int                // clients; default 4, at most 1024
	Pick   Pick               // default LeastPending
	Client []rpc.ClientOption // of each client
}

const (
	defaultSize = 4
	maxSize     = 1024
	downTime    = time.Second // for which a client that cannot connect is spared
)

// Pool is n clients of one address. Make one with [New].
type Pool struct {
	e       *rpc.Endpoint
	clients []*client
	pick    Pick
	turn    atomic.Uint64
}

// client is one of a pool.
type client struct {
	*rpc.Client
	down atomic.Int64 // in nanoseconds since 1970, until when it is spared
}

// New returns a pool of clients of e. It does not dial yet, and needs no Close unless it
// was used. A Size that is out of bounds becomes the nearest that is not.
func New(e *rpc.Endpoint, address string, o Options) *Pool {
	if o.Size == 0 {
		o.Size = defaultSize
	}
	p := &Pool{e: e, pick: o.Pick}
	for range min(max(o.Size, 1), maxSize) {
		p.clients = append(p.clients, &client{Client: e.Client(address, o.Client...)})
	}
	return p
}

// Address is what the pool was made for.
func (p *Pool) Address() string { return p.clients[0].Address() }

// Size is how many clients there are.
func (p *Pool) Size() int { return len(p.clients) }

// Pending is how many calls and pushes are under way.
func (p *Pool) Pending() int {
	n := 0
	for _, c := range p.clients {
		n += c.Pending()
	}
	return n
}

// Call is [rpc.Client.Call] of one of the clients. 105 means that none of those that were
// tried could connect.
func (p *Pool) Call(ctx context.Context, method string, req, res any, opts ...rpc.CallOption) error {
	return p.try(ctx, func(c *client) error { return c.Call(ctx, method, req, res, opts...) })
}

// Push is [rpc.Client.Push] of one of the clients.
func (p *Pool) Push(ctx context.Context, method string, body any, opts ...rpc.CallOption) error {
	return p.try(ctx, func(c *client) error { return c.Push(ctx, method, body, opts...) })
}

// Close closes all clients as [rpc.Client.Close] does. It always returns nil.
func (p *Pool) Close() error {
	for _, c := range p.clients {
		c.Close()
	}
	return nil
}

// Go is [Pool.Call] on a goroutine of its own. res must not be used before the call is
// done.
func (p *Pool) Go(ctx context.Context, method string, req, res any, opts ...rpc.CallOption) *rpc.Async {
	return p.e.Async(func() error { return p.Call(ctx, method, req, res, opts...) })
}

// try gives a call that found no connection to another client that has one.
func (p *Pool) try(ctx context.Context, f func(*client) error) error {
	c := p.choose((*client).rested)
	if c == nil {
		c = p.choose(func(*client) bool { return true })
	}
	for {
		err := f(c)
		if !unsent(err) {
			return err
		}
		c.down.Store(time.Now().Add(downTime).UnixNano())
		c = p.choose(func(c *client) bool { return c.connected() && c.rested() })
		if c == nil || ctx.Err() != nil {
			return err
		}
	}
}

// unsent tells whether a call found no connection: 105 of our own, not of the service.
func unsent(err error) bool {
	st, ok := status.From(err)
	return ok && st != nil && st.Code == status.DialFailed && st.Unwrap() != nil
}

func (c *client) connected() bool {
	_, ok := c.Session()
	return ok
}

// rested tells whether the client may be tried.
func (c *client) rested() bool {
	down := c.down.Load()
	return down == 0 || time.Now().UnixNano() >= down
}

// choose picks among those that fit; nil if none does.
func (p *Pool) choose(fits func(*client) bool) (best *client) {
	first := 0
	if p.pick == RoundRobin {
		first = int(p.turn.Add(1) % uint64(len(p.clients)))
	}
	least := 0
	for i := range p.clients {
		c := p.clients[(first+i)%len(p.clients)]
		if !fits(c) {
			continue
		}
		if p.pick == RoundRobin {
			return c
		}
		if n := c.Pending(); best == nil || n < least {
			best, least = c, n
		}
	}
	return best
}
