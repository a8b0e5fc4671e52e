// Package peertest checks that a peer does what the benchmark wants of it.
//
// Tests of those peers import it that leave nothing running when they end; the others are
// tested in processes of their own, by the test of the program.
package peertest
