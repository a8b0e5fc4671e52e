// Package ws carries sessions over websocket: "ws://host:port/path", and
// "wss://host:port/path" with TLS.
//
// A protocol sees a stream of bytes, websocket has messages. A [Conn] gives each message
// that comes as a frame
//
//	+--------+---------+
//	| u32    | payload |  size is big endian and does not count itself
//	| size   |         |
//	+--------+---------+
//
// and sends each such frame that is written as one binary message, unfragmented and not
// compressed. So it carries the protocols whose frames begin like that: those of the
// package proto/ws, for peers that know nothing of frames, and pb and json.
//
// [Transport] dials and listens. [NewListener] is for a listener that somebody else
// opened, [NewHandler] for a server of HTTP that has other pages as well. Pages of
// browsers connect only from where [Options] say; who comes from no page always may.
//
// A connection ends by the closing handshake of websocket: who was dialled sends 1012,
// service restart, which means that connecting again is worth a try, and 1001 if it
// cannot wait.
//
// Anybody may import it; it imports nothing of ours but internal packages. Its values
// are safe for concurrent use.
package ws
