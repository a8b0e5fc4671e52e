// Package envelope is what the frames of several protocols have around their text:
//
//	+--------+-------+---------+--------------------------------+
//	| u32    | u8    | n bytes | payload, behind the n filters  |
//	| size   | n     | filters |                                |
//	+--------+-------+---------+--------------------------------+
//
// Integers are big endian. size does not count its own 4 bytes: it is 1 + n and what
// the filters made of the payload.
//
// Protocols import it; it imports proto, message and filter. A Frame is used by many
// goroutines at once if its Payload may be.
package envelope
