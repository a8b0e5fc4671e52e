// Package logfile is the log of an instance: one file that several processes
// append to, that is rotated, and that can be read backwards, searched and
// followed. A program may have such a log for itself; a [Shelf] has all of them.
//
// # Lines
//
// A line is
//
//	2026-11-22T15:18:25.123456Z NAME STREAM text
//
// with the time in UTC, NAME being master or the name of a program, a worker or a
// sandbox, and STREAM being log (written by a logger), out or err (output of a
// process). A line of another form, such as the last words of a crashing runtime
// whose standard error is the file, belongs to master and err; its time is unknown.
// Text that is too long for one line goes on in the next; a backslash ends each
// part but the last.
//
// A log may also be JSON, an object for each line that tells the instance of the
// program and the generation of the process as well:
//
//	{"time":"...","name":"web","stream":"out","instance":1,"generation":7,"text":"..."}
//
// with "part":true in what goes on in the next, and U+FFFD for each byte that is no
// UTF-8. Or it is raw: what was written, byte for byte, and nothing else. Lines of
// several streams do not mix in it, but a process that ends within a line leaves it
// so.
//
// # Files
//
// A file is rotated by its size, by its age, or by somebody else who moves it away.
// Rotated files are named as the log with .1 behind for the newest, and .2.gz,
// .3.gz and so on for older ones. A file that continues another begins with a line
// that says at which offset it does; readers do not show it.
//
// # Offsets
//
// An offset is the number of bytes written to the log before, over all of its
// files, since the first one was made. It stays valid while files are rotated,
// and loses its meaning only if somebody truncates a file. In a raw log, where a
// file cannot say how it begins, it counts from the birth of the file in
// nanoseconds; on file systems that do not know births only the newest raw file is
// read.
//
// # Promises
//
// A [Writer] collects lines for at most 50 ms and appends them by one write, so
// lines of several processes do not mix, and only what was collected is lost with a
// process that is killed. Lines are not lost over a rotation, whoever does it. A
// [Reader] needs no Writer, and [Search] uses bounded memory whatever the size of
// the files, reads little more than the times it is asked for, and misses no line
// while it follows.
//
// It is for package host and imports internal packages only. A Writer, a Reader, a
// Shelf and handlers are safe for concurrent use; a [Sink] is for one stream.
package logfile
