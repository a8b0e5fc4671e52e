package load

import (
	"fmt"
	"strings"
	"time"

	"github.com/dserver/dserver/rpc"
)

// Target is a socket with the routes of package app behind it.
type Target struct {
	Label   string // begins the names of its classes
	RPC     bool   // else HTTP
	Network string // tcp or unix
	Address string
}

// Options say how hard to work. The zero value works.
type Options struct {
	// Slow is how long the long requests take that are always in flight, in full
	// milliseconds. Default 2 s.
	Slow time.Duration
	// Pause is the longest pause of a client between two requests; on average it
	// is half as long. It must stay well below the quiet time of an HTTP drain, in
	// which a connection without requests is closed. Default 150 ms.
	Pause time.Duration
	// Clients is how many clients each class has. Default 3, and 2 for slow ones.
	Clients int
	// Only limits the load to classes whose names end with it. Default: all.
	Only string
}

// class is one way of using a target.
type class struct {
	name    string
	clients int
	pause   time.Duration // at most, between two requests of a client
	client  func() client
}

// client makes requests, one after the other. It is used by one goroutine.
type client interface {
	// do makes one request and checks the answer.
	do() error
	close()
}

// patience is how long a client waits for an answer beyond the time it asked for:
// longer than any stall that counts as one.
const patience = 20 * time.Second

func classes(t Target, e *rpc.Endpoint, o Options) []class {
	all := httpClasses(t, o)
	if t.RPC {
		all = rpcClasses(t, e, o)
	}
	wanted := all[:0]
	for _, c := range all {
		if !strings.HasSuffix(c.name, o.Only) {
			continue
		}
		c.name = t.Label + " " + t.Network + " " + c.name
		c.pause = o.Pause
		if o.Clients > 0 {
			c.clients = o.Clients
		}
		wanted = append(wanted, c)
	}
	return wanted
}

func rpcClasses(t Target, e *rpc.Endpoint, o Options) []class {
	address := t.Network + "://" + t.Address
	session := e.Client(address)
	return []class{
		{name: "long session", clients: 3, client: func() client { return &caller{session: session} }},
		{name: "dial per call", clients: 3, client: func() client { return &dialler{endpoint: e, address: address} }},
		{name: "slow call", clients: 2, client: func() client { return &caller{session: session, sleep: o.Slow} }},
	}
}

func httpClasses(t Target, o Options) []class {
	slow := fmt.Sprintf("/sleep?ms=%d", o.Slow.Milliseconds())
	web := func(keep bool, method, path string) func() client {
		return func() client {
			return &browser{network: t.Network, address: t.Address, keep: keep, method: method, path: path}
		}
	}
	return []class{
		{name: "new connection", clients: 3, client: web(false, "GET", "/")},
		{name: "kept GET", clients: 3, client: web(true, "GET", "/")},
		{name: "kept POST", clients: 3, client: web(true, "POST", "/echo")},
		{name: "slow GET", clients: 2, client: web(true, "GET", slow)},
	}
}
