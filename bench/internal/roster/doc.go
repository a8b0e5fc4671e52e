// Package roster lists the peers that are measured.
//
// The program and its processes import it. It is safe for concurrent use.
package roster
