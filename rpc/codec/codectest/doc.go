// Package codectest checks that a codec does what codec.Codec promises.
//
// A [Suite] is a codec with values that it carries and others that it refuses. It is
// for tests alone, also for those of codecs that live elsewhere; one suite at a time,
// because it measures memory.
package codectest
