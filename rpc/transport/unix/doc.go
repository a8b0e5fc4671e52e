// Package unix carries sessions over unix sockets: "unix:///path/to.sock".
//
// Anybody may import it; it imports nothing of ours. Its values are safe for
// concurrent use.
package unix
