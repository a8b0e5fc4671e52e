// Package cell is what is measured: a way to use connections, what calls carry, how many
// callers there are and how many connections.
//
// Everything that measures or reports imports it. Cells are values.
package cell
