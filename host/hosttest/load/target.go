package load

import (
	"fmt"
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
	named := func(name string) string { return fmt.Sprintf("%s %s %s", t.Label, t.Network, name) }
	if t.RPC {
		session := e.Client(t.Network + "://" + t.Address)
		return []class{
			{named("long session"), 3, o.Pause, func() client { return &caller{session: session} }},
			{named("dial per call"), 3, o.Pause, func() client { return &dialler{endpoint: e, address: session.Address()} }},
			{named("slow call"), 2, o.Pause, func() client { return &caller{session: session, sleep: o.Slow} }},
		}
	}
	slow := fmt.Sprintf("/sleep?ms=%d", o.Slow.Milliseconds())
	web := func(keep bool, method, path string) func() client {
		return func() client {
			return &browser{network: t.Network, address: t.Address, keep: keep, method: method, path: path}
		}
	}
	return []class{
		{named("new connection"), 3, o.Pause, web(false, "GET", "/")},
		{named("kept GET"), 3, o.Pause, web(true, "GET", "/")},
		{named("kept POST"), 3, o.Pause, web(true, "POST", "/echo")},
		{named("slow GET"), 2, o.Pause, web(true, "GET", slow)},
	}
}
