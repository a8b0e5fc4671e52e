// Package raw is the default protocol: a length-prefixed binary frame with a
// text header.
//
// The layout stands in frame.go. [New] is a proto.Factory for the form that the
// endpoint uses; [Options] can ask for the classic one, whose bytes are exactly
// those of older writers. Both forms read each other.
//
// It imports proto, message and status. A Proto may append frames on many
// goroutines at once.
package raw
