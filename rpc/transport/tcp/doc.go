// Package tcp carries sessions over TCP: "tcp://host:port".
//
// Anybody may import it; it imports nothing of ours. Its values are safe for
// concurrent use.
package tcp
