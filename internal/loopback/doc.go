// Package loopback gives a test addresses at which nobody else listens.
//
// A port that was free a moment ago may be somebody's now: the tests of other
// packages run at the same time, and each connection takes one too. What can be
// had for certain is a loopback address of one's own.
//
// It is for tests alone, of any package of this repository. Its function may be
// called by many goroutines at once.
package loopback
