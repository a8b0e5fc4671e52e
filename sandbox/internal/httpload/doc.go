// Package httpload is load on an HTTP server that repeats nothing: a request that
// fails counts as failed, whatever a friendlier client would have done about it.
// It is how the adapters below sandbox prove that they let go without loss.
//
// Only tests of those adapters import it. A Load is safe for concurrent use.
package httpload
