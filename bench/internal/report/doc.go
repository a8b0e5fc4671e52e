// Package report makes tables of what was measured, and tells which targets were reached.
//
// The program imports it. Its functions are safe for concurrent use, as long as nobody
// adds to the set they are given.
package report
