// Package memory carries sessions inside one process: "mem://name".
//
// A [Network] is a space of names, a plain value: endpoints that shall reach
// each other share one. Connections buffer, have deadlines, and can be closed on
// one side, as sockets do. It imports nothing of ours. All values are safe for
// concurrent use.
package memory
