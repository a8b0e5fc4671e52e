// Package netrpc is net/rpc of the standard library as a peer, with gob and plain
// structs. It has no pushes.
//
// Package roster imports it. It is safe for concurrent use.
package netrpc
