// Package sandbox runs the services that users write.
//
// A user implements [Service]; the package gives it a [Box] and keeps a wall
// around it: a panic, an error or a Serve that does not return concerns this
// one sandbox, never its neighbours. A [Runtime] runs the sandboxes of one
// process; a worker in multi mode and the master in single mode run the very
// same Runtime, which is why both modes behave alike.
//
// Adapters make services of things that exist: rpcservice of an rpc.Endpoint,
// httpservice of an http.Handler, gfservice of a goframe server, [FromSetup] of
// a Setup/Shutdown pair. sandboxtest runs one service under test without a
// master.
//
// It may import rpc, eventbus and internal packages. A Box may be used from any
// goroutine of its service; a Runtime is safe for concurrent use.
package sandbox
