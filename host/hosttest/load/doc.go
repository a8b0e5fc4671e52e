// Package load puts an instance under load by clients that repeat nothing: each
// request is sent once, its answer is checked, and whatever goes wrong counts as
// failed, however a friendlier client would have hidden it. That is how a reload
// is judged.
//
// Only tests import it. A Load is safe for concurrent use.
package load
