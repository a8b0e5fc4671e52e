// Package codec turns the bodies of messages into bytes and back.
//
// A [Codec] is one way to do so, with an id that travels; a [Registry] is the
// set that one endpoint knows, a plain value without global state. One that is an
// [Appender] too encodes into memory that the endpoint uses again. [JSON] and
// [Bytes] live here; the others are packages below, one each, so that a program
// has those alone that it uses. The package imports nothing of ours that is not
// below it. Codecs and registries are safe for concurrent use.
package codec
