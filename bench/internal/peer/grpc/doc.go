// Package grpc is google.golang.org/grpc as a peer, as it comes: its own codec and
// windows, no TLS. Each goroutine that pushes has a stream of its own.
//
// Package roster imports it. It is safe for concurrent use.
package grpc
