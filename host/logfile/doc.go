// Package logfile is the log of an instance: one file that several processes
// append to, that is rotated, and that can be read backwards and followed.
//
// # Lines
//
// A line is
//
//	2026-11-22T15:18:25.123456Z NAME STREAM text
//
// with the time in UTC, NAME being master or the name of a worker or a sandbox,
// and STREAM being log (written by a logger), out or err (output of a process). A
// line of another form, such as the last words of a crashing runtime whose
// standard error is the file, belongs to master and err; its time is unknown.
// Text that is too long for one line goes on in the next; a backslash ends each
// part but the last.
//
// # Files
//
// Rotated files are named as the log with .1 behind for the newest, and .2.gz,
// .3.gz and so on for older ones. A file that continues another begins with a line
// that says at which offset it does; readers do not show it.
//
// # Offsets
//
// An offset is the number of bytes written to the log before, over all of its
// files, since the first one was made. It stays valid while files are rotated,
// and loses its meaning only if somebody truncates a file.
//
// # Promises
//
// A [Writer] collects lines for at most 50 ms and appends them by one write, so
// lines of several processes do not mix, and only what was collected is lost with a
// process that is killed. Lines are not lost over a rotation, whoever does it. A
// [Reader] needs no Writer, uses bounded memory whatever the size of the
// files, and misses no line while it follows.
//
// It is for package host and imports internal packages only. A Writer, a
// Reader and handlers are safe for concurrent use.
package logfile
