// Package httpdrain lets an HTTP/1 server go without losing a request, and
// without the client having to repeat one.
//
// http.Server.Shutdown begins by closing connections that are idle at that
// instant, also those whose next request is on its way. A [Tracker] takes its
// time instead: once it drains, every response that has not begun yet carries
// "Connection: close"; a connection without a request is closed only after it
// was quiet for a while and nothing lies unread in its receive buffer; requests
// that run may finish until the deadline; what is left then is closed and named.
//
// It stands between any HTTP/1 server and its listeners and handler: the server
// gets [Tracker.Listener] and [Tracker.Handler] and needs to know nothing more.
// That is why net/http and goframe's ghttp drain by the same code. HTTP/2 is not
// covered.
//
// Only the adapters below sandbox may import it; it imports nothing of ours. A
// Tracker is safe for concurrent use.
package httpdrain
