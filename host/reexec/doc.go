// Package reexec runs a new program in place of this one: the same process, with
// its pid, its children and the open files that it wants to keep, but other code.
//
// The old program calls [Exec] with the new [Image], a state of its own making and
// the files to keep. The new program calls [Take] before it opens anything, gets
// both, and then decides: [Taken.Accept] makes it the program, [Taken.Back] runs
// the old one again, with the same state and the same files. An Exec that does
// not happen returns an error, and everything is as it was.
//
// What goes along by itself is what the system keeps for a process: children,
// zombies among them, so that no exit status is lost; connections that wait in
// the queue of a kept listening socket; locks of kept files. What does not are
// goroutines and what they do, so the caller stops first whatever must not be cut
// in the middle.
//
// Signals: HUP, INT, USR1 and USR2 never end the process on the way, but those
// that come in the few milliseconds between the two programs are lost. TERM and
// QUIT either go along or do what they do to a program that does not catch them:
// they end the process. A command that must not be lost belongs on a socket.
//
// It is for package host and imports internal packages only. It works on Linux;
// elsewhere Exec answers [errors.ErrUnsupported]. Exec may be called from any
// goroutine, by one at a time; Take and the methods of a Taken are for the
// beginning of a program and not safe for concurrent use.
package reexec
