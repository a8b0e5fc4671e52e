// Package proxy is a plugin that forwards the messages to which no route of its
// endpoint answers: to a session, a client, or whatever the application chooses for
// each.
//
//	backend := e.Client("tcp://10.0.0.7:9091")
//	p := proxy.New(func(context.Context, proxy.Label) (proxy.Forwarder, error) { return backend, nil }, proxy.Options{})
//	e, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{p}})
//
// # What passes
//
// The body passes as bytes, in the codec it came in, which need not be known here; so
// does that of the reply. All metadata passes, both ways, and X-Real-IP is added when
// absent: the address of the caller with its port. Deadlines and cancellations pass on.
// A status of the service behind passes as it is; of 100 to 199, which mean the caller's
// own connection, it becomes 502, and so does a failure to reach that service at all,
// whose text stays in the log. With Retry set, nothing was executed.
//
// Filters belong to one connection: a message comes in by those of its sender and goes on
// without. Routes that begin /_ are about one connection, too, and are never forwarded.
// PUSHes are forwarded by many handlers at once and may overtake each other, unless
// [Options].Route has rpc.Ordered.
//
// X-Real-IP is what the caller says it is, if it says so. Who must rely on it takes it
// away from callers in a plugin of its own.
//
// # Who may import it
//
// Anybody; it imports rpc alone. A Plugin may be used by many endpoints and from any
// goroutine.
package proxy
