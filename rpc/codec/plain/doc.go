// Package plain is the codec of bodies that are one value as text: a string, a number,
// a bool.
//
// It is for commands, log lines and other small things, and for peers that know
// nothing else. A body has no type: the reader decides whether 42 is a number.
//
// It imports the standard library and package codec. A Codec is safe for concurrent
// use.
package plain
