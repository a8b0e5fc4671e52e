// Package program keeps programs running: any executables, each in one or several
// instances, started in the order of what they need, watched, started again when
// they end by themselves, replaced, scaled and stopped.
//
// A [Set] holds all programs of a master. Each instance is kept by one goroutine
// that alone touches what it knows of it; everybody else sends it messages. What
// an instance can go through is the table in state.go:
//
//	stopped -> starting -> ready -> stopping -> stopped
//	               ^         |
//	               |         v
//	               +---- backoff, exited, fatal
//
// What takes time - waiting for what is needed, commands before a start and after
// an end, probes, a stop - is done by goroutines of their own that report back, so
// an instance always answers, and the last wish always wins.
//
// It is for package host. A Set is safe for concurrent use. It works on Linux;
// elsewhere each start answers [errors.ErrUnsupported].
package program
