// Package codec turns the bodies of messages into bytes and back.
//
// A [Codec] is one way to do so, with an id that travels; a [Registry] is the
// set that one endpoint knows, a plain value without global state. Light codecs
// live here, those with dependencies in packages below. It imports nothing of
// ours. Codecs and registries are safe for concurrent use.
package codec
