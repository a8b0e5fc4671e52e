// Package tls is the transport for tls://host:port: TCP with TLS around the whole
// stream.
//
// A dialler makes the handshake within the time for dialling, so that a peer with the
// wrong certificate is an error of Dial. A listener leaves it to the session, which
// has its own time for that: who stalls delays nobody.
//
// Anybody may import it; it imports transports and crypto/tls, which is why it is not
// among those that an endpoint has by default. A Transport may be used by many
// goroutines at once.
package tls
