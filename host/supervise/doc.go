// Package supervise starts operating system processes and watches them until
// nothing of them is left.
//
// A [Spawner] starts a [Process] from a [Spec]: in a session of its own, with
// exactly the descriptors, the environment and the executable that the Spec
// says, its output captured by line. The Spawner notices the exit through a
// descriptor of the process, without polling and without a waiting thread; it
// kills what the process left behind in its session, takes what is still in the
// output pipes, and only then closes [Process.Done]. [Process.Stop] asks first and
// kills in the end. [Backoff] says how long to wait before the next start.
//
// A process does not die with us: it gets no signal when we end, and its output
// pipes do not break. Whoever comes after us goes on with it by [Spawner.Adopt]: another
// program in this process, or another process, to which a frozen Spawner's
// [Process.Record] is handed over, and then no line and no exit status is lost; or
// one that knows an older [Process.Identity] of it after we were killed, and then
// what was in our hands is lost and what is in the pipe is not.
//
// It is for package host and imports internal packages only. It works on Linux
// (5.10 or newer); elsewhere Start answers [errors.ErrUnsupported]. A Spawner and
// a Process are safe for concurrent use; a Backoff is not.
package supervise
