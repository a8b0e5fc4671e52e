// Package process runs a measurement in two processes of its own: a client, which starts a
// server, which both are this executable again. See [Play].
//
// Each ends when the one that has started it does, because it reads from it.
//
// The program imports it. Measurements must not run at the same time, for the sake of
// their figures.
package process
