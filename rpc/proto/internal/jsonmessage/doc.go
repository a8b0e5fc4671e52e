// Package jsonmessage is a message as one JSON text, for the protocols that have it so.
//
// Protocols import it; it imports proto, message, status, codec and envelope. A Payload
// may be used by many goroutines at once.
package jsonmessage
