// Command bench measures dserver beside other supervisors of processes, in one run
// on one machine:
//
//	go run ./host/bench               # all of it, about half an hour
//	go run ./host/bench -quick        # a minute, to see that all works
//	go run ./host/bench -only log1 -peers raw,dserver -rounds 5
//	go run ./host/bench -json         # for programs
//
// # Who is measured
//
//   - floor: 200 lines around os/exec that start a process in a session of its own,
//     copy its output to a file, wait, start it again at once, and list all on a
//     socket (floor.go). It is no product; it marks what is to be had.
//   - raw: no supervisor, only the copy of pipes to files by plain reads and writes.
//   - supervise: package supervise below a main as small as the floor's.
//   - dserver: cmd/dserver with a program for each child; dserver-raw, for logs only:
//     each program has a log of its own, byte for byte.
//   - runit, s6, supervisor: as Debian has them, where they are installed. They are
//     set to what restarts soonest: s6 by a run script that says that it is ready,
//     supervisor by startsecs = 0; runit has nothing to set.
//
// # What the cells are
//
//   - restart: from kill -9 of a child to the first instruction of the next one. All
//     peers run at the same time with one child each, and one child is killed at a
//     time. It has run for more than a second, because runit and s6 wait for the rest
//     of the second otherwise; dserver is told that a run of a second is stable.
//   - restartgo: the same with a Go program as the child, which takes some
//     milliseconds to start.
//   - young: the same with a child of 30 ms, and dserver told to wait a millisecond at
//     most.
//   - few and many: 200 and 1000 children. start is the time from the launch of the
//     supervisor to the first instruction of the last child; CPU is the supervisor's
//     alone, with all its helpers, from its launch until all has been still for some
//     seconds; memory a child is what the proportional set size (PSS) of the supervisor
//     grows by, compared with one that has no children. stop is the time until the
//     last child has gone; it is answered when the supervisor says so. Before the
//     stop, few looks at all peers for half a minute in which nothing happens, and
//     asks each for the state of all children.
//   - log1 and log50: writers of lines of 100 bytes, one write a line, the last one
//     without a newline. The time runs from the first write to the last change of a
//     file. Lines are numbered and looked for after everything has been stopped.
//     dserver and supervise write time and name before each line, all into one file;
//     bytes are those of the writer for everybody.
//   - crash: a child that exits with 1 at once, and a supervisor that is told nothing
//     about it.
//
// # How far to trust it
//
// Peers take turns, in another order each round, and the median of the rounds
// counts. Ratios to the floor, or for logs to raw, are what to look at: all times
// depend on the machine and on what else it does. With 50 kills p99 is the slowest
// of all.
//
// The child is a static program of 300 bytes (child_linux_amd64.s), made of
// machine code in this executable, so that no compiler is needed. Any other program
// takes longer to start, and brings all ratios nearer to 1: a Go program some
// milliseconds (restartgo, or -child go for all cells). The start of runit's and
// s6's children has a shell in it, their run script, as is usual there; the others
// start them directly. With -child script all have one.
//
// Times of starts are those that the children read from the monotonic clock
// themselves. CPU times are the kernel's, in nanoseconds, over all threads of a
// process, ended ones included; the work between fork and exec counts for the
// child. Memory is without that of the kernel, such as the buffers of pipes.
//
// # What it leaves behind
//
// Nothing: a guard runs the benchmark in a process of its own, inherits what the
// supervisors leave behind, and kills it when the benchmark has ended, be it by an
// interrupt or by SIGKILL. Files are in a folder of the system's temporary one.
//
// It needs Linux. Nobody imports it; it is a program.
package main
