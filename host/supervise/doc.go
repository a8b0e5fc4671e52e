// Package supervise starts operating system processes and watches them until
// nothing of them is left.
//
// A [Spawner] starts a [Process] from a [Spec]: in a session of its own, with
// exactly the descriptors, the environment, the identity, the limits and the
// executable that the Spec says, its output captured. The Spawner notices the exit
// through a descriptor of the process, without polling and without a waiting
// thread; it kills what came of the process and lives on, takes what is still in
// the output pipes, and only then closes [Process.Done]. [Process.Stop] asks first
// and kills in the end. [Restarts] says whether there is a next start, and
// [Backoff] how long to wait before it.
//
// # Whole trees
//
// When Done is closed nothing runs any more of all that the process has started,
// whether it crashed or was stopped, and whatever that did to get away: by other
// groups and sessions, by forking twice, by forking on and on. How it is found
// depends on what there is:
//
//   - With a control group ([Spec.Group]) the kernel knows, without gaps and at the
//     price of reading one small file.
//   - Without one, where orphans come to us ([Subreap], or process 1), all children
//     of ours that we did not start are looked at: one read for all processes that
//     exited together. Whoever is there is told by its session, its group, its
//     INVOCATION_ID or its output, and killed with all its descendants. What has put
//     off all four is only found at a stop, by its parents, and not after a crash.
//   - Without either, all processes of the system are looked at in the same way.
//     That takes some 10 µs for each of them, and who is quicker than that at
//     forking and leaving may get away.
//
// What does not go in 5 seconds is named in [Exit.Left]. Orphans that nobody waits
// for any more are reaped by [Spawner.ReapOrphans]; children that others in this
// program start, such as by package os/exec, keep their exit status.
//
// # What costs what
//
// A plain Spec costs what package os/exec costs, or less: a start and a restart are
// within a fifth of it, and a quiet process takes less than 2 KB and no goroutine.
// There are two goroutines for all processes, and one more for each stream of
// output while something comes. Umask, Nice, NoNewPrivs and limits of a group that
// sit on version 1 take a thread that is made for the start and thrown away: some
// 50 µs. Rlimits, OOMScoreAdj and ListenPid take a shell that becomes the program: a
// third of a start more. BenchmarkRestart, BenchmarkThousand and BenchmarkLife
// measure that.
//
// # Succession
//
// A process does not die with us: it gets no signal when we end, and its output
// pipes do not break. Whoever comes after us goes on with it by [Spawner.Adopt]: another
// program in this process, or another process, to which a frozen Spawner's
// [Process.Record] is handed over, and then no line and no exit status is lost; or
// one that knows an older [Process.Identity] of it after we were killed, and then
// what was in our hands is lost and what is in the pipe is not. [Marked] finds
// those that nobody has written down.
//
// It is for package host and imports internal packages and host/cgroup only. It
// works on Linux (5.10 or newer); elsewhere Start answers [errors.ErrUnsupported].
// A Spawner and a Process are safe for concurrent use; a Restarts and a Backoff
// are not.
package supervise
