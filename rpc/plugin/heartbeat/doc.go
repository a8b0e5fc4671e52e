// Package heartbeat finds out when the other end of a session is gone although nobody
// hung up.
//
// A [Ping] is a plugin that says something on every session on which nothing else was
// said for a time, its rate. A [Pong] is a plugin that answers, and closes sessions
// whose peers have promised to ping and are not heard for twice their rate. They stand
// in Config.Plugins of either side, or of both; the peer may be an older one.
//
// On the wire a heartbeat is a CALL or a PUSH to /heartbeat without a body, whose
// metadata hb_ is the rate in seconds. It passes the hooks of all plugins as any other
// message does, and it cannot come before a session works.
//
// All sessions of a plugin share one goroutine, which looks at each of them when
// something may be due. It waits for nobody: what could wait, for a peer or for a hook,
// runs elsewhere, and no more than 4096 of that at once.
//
// Anybody may import the package; it imports rpc, packages below it, and
// internal/group. Plugins are safe for concurrent use, and one may serve several
// endpoints.
package heartbeat
