// Package rpc is an endpoint whose two sides are equal: over one connection both
// call and both push, whoever dialled.
//
//	e, err := rpc.New(rpc.Config{Name: "math"})
//	err = rpc.Handle(e, "/math/add", func(ctx rpc.Context, nums []int) (int, error) {
//		sum := 0
//		for _, n := range nums {
//			sum += n
//		}
//		return sum, nil
//	})
//	ln, err := e.Listen(ctx, "tcp://127.0.0.1:9091")
//	err = e.Serve(ln)
//
// and elsewhere
//
//	c := e.Client("tcp://127.0.0.1:9091")
//	var sum int
//	err = c.Call(ctx, "/math/add", []int{1, 2, 3}, &sum)
//
// # Layers
//
// An [Endpoint] has routes and sessions. A [Session] is one connection to one
// peer; a [Client] is an address that always has a session when it is needed.
// Below them messages (package message) become bytes by a protocol (proto), their
// bodies by a codec (codec); filters (filter) may change them on the way, compress
// them for example, and they travel over a transport (transport).
//
// # Routes
//
// [Handle] and [HandlePush] register a function under a name, [Registrar].Register
// the methods of a type, [HandleUnknownCall] and [HandleUnknownPush] what has no route.
// A [Group] gives routes a prefix and plugins in common. Config.Mapper makes names of
// those in Go: paths, or names with dots.
//
// # Plugins
//
// A [Plugin] has hooks: interfaces of one method each, called in the life of an
// endpoint (BeforeNewEndpoint to AfterCloseEndpoint), of a connection (BeforeDial to
// AfterDisconnect), and of a message that goes out (BeforeWriteCall to AfterWritePush)
// or comes in (BeforeReadHeader to AfterReadReplyBody). They are found once, when a
// plugin is registered; a hook that panics has failed, nothing else. Those that come
// with this module are in packages below plugin.
//
// # Sessions
//
// A session is set up first: its handshake, then [AfterDial] or [AfterAccept], to which
// it belongs alone until they return; see [EarlySession]. Then it works: calls and
// pushes go both ways. It may be given an id, by which [Endpoint.Session] finds it, and
// [Attributes]; a [Client] takes both along when it dials again. It ends by Close of
// either side, at its age, or with its connection; Err says why.
//
// # Promises
//
//   - A call ends with its reply, its deadline, its cancellation or the end of
//     its session; never later. Deadlines and cancellations reach the handler.
//   - Handlers run concurrently, replies come in any order, one slow handler
//     delays nobody; one of a route whose handlers have been short, up to 10 ms.
//     Routes marked [Ordered] run one after the other per session.
//   - Everything is bounded, see [Limits]. Over a bound a call fails with a
//     status; the process and the other sessions do not notice.
//   - A handler that panics or fails tells its caller an incident id; the text
//     stays in the log.
//   - An endpoint that drains tells its peers, goes on answering, and waits for
//     them to leave; clients of this package move without losing a call.
//
// # Who may import it
//
// Anybody. The package and the light ones below it link the standard library
// and internal/group only. All exported methods are safe for concurrent use.
package rpc
