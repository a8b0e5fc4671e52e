package rpc

import "net"

// newTryWriter finds out how to write to conn without waiting; nil if there is
// no way. A conn that wraps another one is never bypassed.
func newTryWriter(conn net.Conn) tryWriter {
	switch c := conn.(type) {
	case tryWriter:
		return c
	case *net.TCPConn:
		return newSocketWriter(c)
	case *net.UnixConn:
		return newSocketWriter(c)
	default:
		return nil
	}
}
