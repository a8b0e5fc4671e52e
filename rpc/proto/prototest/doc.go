// Package prototest checks a protocol against frames that older writers made, and
// measures it.
//
// The frames lie in testdata of the protocol's package, or where the variable
// DSERVER_VECTORS says, in the form that [Vector] tells. [Benchmark] is for protocols
// whose frames are not about one another, [Exchange] for all. It is for tests alone, one
// suite at a time.
package prototest
