// Package rpcx is github.com/smallnest/rpcx as a peer, with its protobuf codec and
// handlers that are functions, which it calls without reflection. A push is a one-way
// call.
//
// Package roster imports it. It is safe for concurrent use.
package rpcx
