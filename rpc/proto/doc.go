// Package proto defines how messages become bytes on a connection and back.
//
// A [Proto] is made per session and never sees the socket: it gets a [Stream]
// of a buffered reader, a writer into memory, the limits and what is known of
// the peer. So every protocol runs on every transport, and encoding happens
// outside any lock. A protocol that can cut a frame out of a buffer implements
// [Framer] too and is read and written without copies.
//
// Protocols import it; it imports message. Unpack and CutFrame are called by one
// goroutine at a time, Pack never twice at once on one value; AppendFrame may be
// called by many goroutines at once.
package proto
