// Package overload is a plugin that bounds how many handlers run at once, lets a bounded
// number of messages wait for a place, and sheds the rest at once: a caller that is told
// so can go elsewhere, one that waits in a queue without end cannot.
//
//	p := overload.New(overload.Options{Running: 64, Waiting: 128, Wait: 500 * time.Millisecond})
//	e, err := rpc.New(rpc.Config{Plugins: []rpc.Plugin{p}})       // all handlers
//	reports := e.Group("reports", overload.New(overload.Options{Running: 2})) // these alone
//
// # What happens
//
// A message waits in its own handler's goroutine, before its body is decoded, first come
// first served. It gives up when it has waited for Options.Wait, when its caller's
// deadline has passed or its caller is gone. A CALL that is shed is answered 503 with
// Retry set, a PUSH is dropped and counted by its endpoint.
//
// A place is free again when the handler has returned, just before its reply is written:
// who has the answer may call again at once. After a 408 it is free when the handler
// returns after all: one that goes on still costs what it costs.
//
// Messages that wait count among the running ones of rpc.Limits, which are for all that a
// peer can cause; this plugin is for what a service can do. A message takes one place of a
// plugin, in however many lists the plugin stands.
//
// On a session that is handled in order, and among routes with rpc.Ordered, the next
// message waits behind one that waits.
//
// # Who may import it
//
// Anybody; it imports rpc alone. A Plugin may be used by many endpoints, groups and
// routes, which then share its places, and from any goroutine.
package overload
