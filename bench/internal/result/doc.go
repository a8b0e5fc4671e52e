// Package result is what measurements give: a Run is what one pair of processes has
// measured, and a Set holds all of them.
//
// Everything that measures or reports imports it. A Set belongs to one goroutine.
package result
