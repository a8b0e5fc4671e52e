// Package transport says what carries the bytes of a session: a [Transport]
// dials and listens on addresses of one scheme, "tcp://127.0.0.1:9091" for
// example, and gives ordinary net.Conn and net.Listener values.
//
// Each transport is a package of its own below this one. It imports nothing of
// ours. Transports and sets are safe for concurrent use.
package transport
