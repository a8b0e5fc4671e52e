// Package dserver is this repository's package rpc as a peer: with protobuf or with bytes
// as they are, with handlers on pooled goroutines or, once there is an option for it, in
// the reading one. Everything else is as it comes.
//
// Package roster imports it. It is safe for concurrent use.
package dserver
