// Package httpservice makes a sandbox service of an http.Handler.
//
// The service listens on all stream sockets that the configuration declares for
// its sandbox and speaks HTTP/1. On a reload it lets go without losing a request,
// also of clients that keep connections and repeat nothing: see [New].
//
// Applications import it. A service may be served again after it has ended, as
// [sandbox.Service] demands; the handler must be safe for concurrent use.
package httpservice
