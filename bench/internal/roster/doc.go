// Package roster lists the peers that are measured.
//
// The program and its processes import it. Its functions also silence the peers that log,
// and must not be called while these work.
package roster
