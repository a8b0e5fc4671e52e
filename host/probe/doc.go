// Package probe finds out whether a program is well: it asks, or it listens to
// what the program says by itself.
//
// A [Prober] asks one question at a time, by a connection, a request or a
// command; [Await] goes on asking until the answer is good. [Newline] and
// [Lines] take the program's own word, on a descriptor of its own or in its
// output, and a [Hub] is the receiving end of NOTIFY_SOCKET for many programs,
// which knows by the kernel's word whose process it was that spoke.
//
// It is for package host and its parts; it knows nothing of how programs are
// started. All functions and methods are safe for concurrent use unless they say
// otherwise. Nothing here starts a goroutine that outlives the call.
package probe
