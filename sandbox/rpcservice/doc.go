// Package rpcservice makes a sandbox service of an rpc endpoint.
//
// The endpoint serves all stream sockets that the configuration declares for its
// sandbox. On a reload it asks its peers to take new calls elsewhere, answers what
// comes until they have left, and so loses no call of a client that listens.
//
// Applications import it. A service may be served again after it has ended, as
// [sandbox.Service] demands: each time it makes a fresh endpoint.
package rpcservice
