// Package usage is what a process says of itself: processor time, memory, allocations,
// switches of context, writes.
//
// The two processes of a measurement import it. It works on Linux; elsewhere some figures
// are 0. It is safe for concurrent use.
package usage
