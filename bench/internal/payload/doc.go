// Package payload is what calls carry: a record of 43 fields, 16 bytes, or 64 KiB, as
// protobuf messages or as plain bytes.
//
// A request carries a tag that is different for each call, so that a reply that comes to
// the wrong caller is found out, and the server changes something, so that a request that
// comes back unread is none either.
//
// Adapters of peers import it. A request belongs to one goroutine; the functions are safe
// for concurrent use.
package payload
