// Package pb is the protocol whose messages are protocol buffers, for peers that are
// not written in Go: the text is one message of these fields,
//
//	1  int32   seq             5  bytes  metadata, a JSON object
//	2  int32   type            6  int32  codec
//	3  string  method          7  bytes  body
//	4  bytes   status, JSON; absent is success
//
// in a frame with a size and filters. Fields that are zero are not written, but for
// the metadata: {} when empty, because older readers hang up on nothing. Unknown
// fields are skipped.
//
// [New] is a proto.Factory for the form that the endpoint uses; [Options] can ask for
// the classic one, whose bytes are exactly those of older writers. Both forms read
// each other. Nothing is generated and no name is registered.
//
// It imports proto, message and status. A Proto may append frames on many goroutines
// at once.
package pb
