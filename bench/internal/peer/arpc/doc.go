// Package arpc is github.com/lesismal/arpc as a peer, as it comes and tuned.
//
// Both have a protobuf codec, and handlers that run in the reading goroutine, which is
// the default. The tuned one has a send buffer, without which arpc writes each message by
// itself, and its pools.
//
// Package roster imports it. It is safe for concurrent use.
package arpc
