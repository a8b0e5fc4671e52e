// Command proto is an endpoint with a protocol of its own: one line of text for
// each message. lines.go is the protocol, main.go serves it.
package main
