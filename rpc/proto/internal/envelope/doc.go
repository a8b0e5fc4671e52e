// Package envelope is what the frames of several protocols have around their text:
//
//	+--------+---------+
//	| u32    | payload |
//	| size   |         |
//	+--------+---------+
//
// size is big endian and does not count its own 4 bytes. In some protocols the filters
// of a message act on all of it; the payload is then
//
//	+-------+---------+-----------------------------+
//	| u8    | n bytes | text, behind the n filters  |
//	| n     | filters |                             |
//	+-------+---------+-----------------------------+
//
// and in others on the body alone, whose text says which they are.
//
// Protocols import it; it imports proto, message, status and filter. A Frame is used
// by many goroutines at once if its Payload may be.
package envelope
