// Package jsonrpc is JSON-RPC 2.0, one line for each message, for peers in any
// language and for older ones of our own kind.
//
//	CALL   {"jsonrpc":"2.0","method":"/math/add","params":[1,2,3],"id":1,"context":{}}
//	REPLY  {"jsonrpc":"2.0","id":1,"result":6,"context":{}}
//	       {"jsonrpc":"2.0","id":1,"context":{},"error":{"code":404,"message":"Not Found","data":null,"cause":"no such sum"}}
//	PUSH   {"jsonrpc":"2.0","method":"/note","params":"hello","context":{}}
//
// A line is written with \r\n and read up to \n; one that is empty says nothing.
// Bodies are JSON, whatever the default codec is: params, which may be absent, or
// result. There are no filters and no authentication.
//
// # Two kinds of peers
//
// The member context, which holds the metadata, tells them apart: who sends it with a
// request gets an answer with context and the codes of package status, where what
// older peers do not know stands behind "data":null: "cause", and when set "retry" and
// "details". Who sends none gets JSON-RPC 2.0 by the letter:
//
//	{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found","data":{"code":404,"cause":""}},"id":"x"}
//
// There 404 is -32601, 400 is -32602, 500 is -32603, and other codes stay what they
// are. What is no request is -32600; what is no JSON is -32700 with the id null, and
// the session goes on. The metadata of a reply has no place.
//
//   - An id is echoed as it came: a number, a string, or null, of at most 256 bytes.
//     The endpoint knows a call by a number of its own where the id is no free int32.
//   - params may be of any kind, not of arrays and objects alone.
//   - A batch has at most 1000 entries, and so few that half the limit of a line has
//     512 bytes for each. Its entries are handed on one by one; their answers are one
//     line when the last one is there, in the order of the entries.
//
// Errors are read in either form: a code in data wins, data that is no status
// becomes the details, and the codes above become 404, 400 and 500.
//
// A PUSH, which is a notification, is written only to a peer that is known to take
// it: one of our kind, or one that wrote something without context. An older peer
// would answer it. So an endpoint cannot ask a peer to go: it hangs up when the
// session is idle.
//
// [New] is a proto.Factory for the form that the endpoint uses; [Options] can ask for
// the classic one, whose bytes are those of older writers. Both forms read each other.
//
// It imports proto, message, status, codec and internal/gotext. A Proto may append
// frames on many goroutines at once.
package jsonrpc
