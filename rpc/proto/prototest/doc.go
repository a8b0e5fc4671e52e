// Package prototest checks a protocol against frames that older writers made.
//
// The frames lie in testdata of the protocol's package, or where the variable
// DSERVER_VECTORS says, in the form that [Vector] tells. It is for tests alone, one
// suite at a time.
package prototest
