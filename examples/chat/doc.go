// Command chat has long sessions: who connects says who it is, says lines, and hears
// those of all others without asking. docs/rpc.md walks through it.
package main
