// Command app is the program that package hosttest runs: an application with one
// sandbox of each kind, whose answers tell which build gave them, and one more
// that does wrong what it is told to.
package main
