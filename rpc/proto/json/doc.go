// Package json is the protocol whose messages are JSON texts:
//
//	{"v":1,"seq":1,"mtype":1,"serviceMethod":"/math/add",
//	 "status":"{\"code\":0,\"msg\":\"\",\"cause\":\"\"}","meta":"{}","bodyCodec":106,"body":"[1,2,3]"}
//
// in one line, in a frame with a size and filters. Status, metadata and body are
// texts in strings, so a body that is not UTF-8 cannot be written.
//
// Older writers leave out "v" and quote as Go does, in the body quotes alone: what
// has no "v" and is no JSON, or whose body is none where it should be, is read by the
// exact reverse of what they do. [New] is a proto.Factory for the form that the
// endpoint uses; [Options] can ask for the classic one, whose bytes are exactly those
// of older writers wherever these can be read. Both forms read each other.
//
// It imports proto, message, status and codec. A Proto may append frames on many
// goroutines at once.
package json
