// Package pbmessage is a message as a protocol buffer, for the protocols that have it
// so. Nothing is generated and no name is registered.
//
// Protocols import it; it imports proto, message, status and envelope. A Payload may be
// used by many goroutines at once.
package pbmessage
