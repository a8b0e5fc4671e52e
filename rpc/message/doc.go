// Package message holds the unit that travels between two endpoints: a
// [Message] of header and encoded body, and its metadata.
//
// Protocols, codecs and the endpoint import it; it imports status and
// internal/gotext. A Message belongs to one goroutine at a time.
package message
