// Package msgpack is the codec of bodies in MessagePack.
//
// Structs are maps; their fields are named by the tag msgpack, else by the tag json,
// else as in Go. A time.Time is the extension for it. An empty interface receives nil,
// bool, int64 (uint64 from 128 on), float64, string (for bytes as well), []any,
// map[string]any or time.Time.
//
// The library does not tell when a number does not fit its variable: 300 becomes 44 in
// an int8, and -1 a large number in a uint. Use variables that are large enough, or
// package cbor, which tells.
//
// Before anything is decoded the whole body is looked over: announced lengths that it
// does not have, values within each other beyond codec.Limits, and bytes behind the
// value are errors that cost no memory.
//
// Its id is one that older implementations do not have. It imports
// github.com/vmihailenco/msgpack/v5, which a program without it does not link. A Codec
// is safe for concurrent use.
package msgpack
