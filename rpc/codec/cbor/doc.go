// Package cbor is the codec of bodies in CBOR (RFC 8949), in its core deterministic
// form: a value has one form, maps are in order of their keys.
//
// Structs are maps; their fields are named by the tag cbor, else by the tag json, else
// as in Go. A time.Time is a text with tag 0, to the nanosecond. An empty interface
// receives nil, bool, uint64 (int64 if negative), float64, string, []byte, []any,
// map[string]any, time.Time or big.Int. What does not fit its variable is an error. A
// time before the year 0 or after 9999, which a number with tag 1 can say, is read, but it
// is an error to write one.
//
// A body is looked over before anything is decoded: announced lengths that it does not
// have, values within each other or elements beyond codec.Limits, and bytes behind the
// value are errors that cost no memory.
//
// Its id is one that older implementations do not have. It imports
// github.com/fxamacker/cbor/v2, which a program without it does not link. A Codec is
// safe for concurrent use.
package cbor
