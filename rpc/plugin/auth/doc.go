// Package auth lets two endpoints agree on who is there before a session works.
//
// A [Bearer] is a plugin of who dials: it shows the peer something, a token for
// example, and gets its answer. A [Checker] is a plugin of who accepts: it looks at
// what it is shown and lets the peer in or not. Both happen once for each connection,
// again when a client dials again, and within Limits.HandshakeTime of the endpoint.
//
// On the wire the dialler sends one AUTH_CALL and the acceptor answers with one
// AUTH_REPLY, which has a status if it refuses; then it hangs up. Who sends anything
// else first is refused with 401. Until a peer is let in it can cost no more than one
// message of about 64 KiB and the decoding of what it shows: filters do not run.
//
// Anybody may import the package; it imports rpc and packages below it. Plugins are
// safe for concurrent use, and one may serve several endpoints. The functions they are
// made with are called by many goroutines at once, each for a session of its own.
package auth
