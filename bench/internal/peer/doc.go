// Package peer is what an implementation of RPC looks like to the benchmark: a server, a
// client with connections, and calls.
//
// Each is in a package below, and package roster lists them. Everything that measures
// imports this one. A Conn may be used by any number of goroutines; a Call belongs to one.
package peer
