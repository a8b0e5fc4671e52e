// Package ws is the two sub protocols of websocket. Of both a frame is
//
//	+--------+---------+
//	| u32    | payload |  size is big endian and does not count itself
//	| size   |         |
//	+--------+---------+
//
// which the transport ws turns into one websocket message of the payload alone; over
// another transport it stays as it is. The payload is, in the sub protocol drpc.json,
//
//	{"v":1,"seq":1,"mtype":1,"serviceMethod":"/math/add","meta":"{}","bodyCodec":106,
//	 "body":"[1,2]","ptf":[]}
//
// in one line, and in drpc.pb a protocol buffer of these fields:
//
//	1  int32   seq       5  int32  codec
//	2  int32   type      6  bytes  body
//	3  string  method    7  bytes  ids of the filters
//	4  bytes   metadata  8  bytes  status, JSON; absent is success
//
// Filters act on the body alone; those of drpc.json must leave UTF-8. A body that
// cannot be had because of its filters costs its message: a call is answered 400, a
// push is dropped, and the session goes on.
//
// Older peers know no status: they write every failure as a success without a body, and
// read ours as that. In JSON it stands before "meta", only if it is no success. What
// older writers make of quotes is read as the package json does it.
//
// [JSON] and [PB] are factories for endpoints that speak one of them, [Auto] speaks what
// its peer does. [Options] can ask for the classic forms, whose bytes are exactly those
// of older writers; every form reads the other one.
//
// The package imports proto and message. A Proto may append frames on many goroutines
// at once.
package ws
