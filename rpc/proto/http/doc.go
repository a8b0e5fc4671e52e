// Package http is the protocol whose messages are HTTP/1.1: one session of an endpoint
// over one connection, so that curl, browsers and proxies reach every CALL, and older
// peers of this protocol as well.
//
//	POST /math/add HTTP/1.1                        HTTP/1.1 200 OK
//	Content-Length: 7                              Content-Length: 1
//	Content-Type: application/json;charset=utf-8   Content-Type: application/json;charset=utf-8
//	User-Agent: dserver-http/1                     Server: dserver-http/1
//	X-MType: 1                                     X-MType: 2
//	X-Seq: 1                                       X-Seq: 1
//
//	[1,2,3]                                        6
//
// The path is the method; X-MType is the type and X-Seq the number of the message.
// Headers are in the order of their names. Every other header is metadata, by its name
// as it stands; what no header can carry is in X-Meta, a metadata text in base64 for
// URLs. The body's codec is its Content-Type: application/json, application/x-protobuf,
// application/x-www-form-urlencoded, text/plain, text/xml, or application/x-codec-N for
// codec N. The gzip filter is a Content-Encoding; there are no other filters. An error
// has the status text as its body.
//
// Who sends a request decides what the answer looks like:
//
//   - A peer of ours says so in User-Agent. Its answers have real status codes, in any
//     order; a PUSH has none.
//   - An older peer says drpc-httpproto/1.1. It reads 200 OK and 299 Business Error, and
//     takes every header for metadata, so it gets no other code and no other header.
//   - Everybody else is a plain HTTP client. Its answers come in the order of its
//     requests, with real status codes: 400 to 599 as they are, 422 for the codes of
//     applications, 500 for -1, 502 for 100 to 199. It may use HTTP/1.0, chunks, HEAD,
//     keep-alive and Expect: 100-continue. A GET is a CALL whose body is its query, in
//     the form codec, and whose reply is JSON; the query of a POST is metadata. A body
//     without a Content-Type is JSON. Accept chooses the codec of the reply. X-MType: 3
//     makes a PUSH, which is answered by 204.
//
// Of the headers of plain clients only X-Timeout-Ms, traceparent, tracestate and those
// that [Options] name become metadata, and these names, and X-Real-IP, are not taken
// from a query. But who calls itself a peer is believed: where metadata must be trusted,
// authenticate.
//
// A plain client cannot be called or pushed to: Pack gives [ErrPlain]. GOAWAY reaches it
// as Connection: close with the last answer that is owed.
//
// Messages that two readers could take for different ones are refused with 400 and end
// the session: bare LF, headers in two lines, blanks before a colon, two lengths, a
// length with chunks. A message, head and chunks included, has at most Limits.Message
// bytes (413), its head 8 KiB besides Limits.Metadata (431, 414) and 256 headers. At
// most 64 requests of a plain client are in hand.
//
// As a client it reads replies with any code, also of plain HTTP servers, which answer
// in the order of the requests.
//
// It imports proto, message, status, codec and filter. Unpack and Pack may run at the
// same time.
package http
