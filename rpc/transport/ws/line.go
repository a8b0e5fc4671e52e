package ws

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// line is the connection below a websocket, as the library sees it.
type line struct {
	net.Conn
	ended atomic.Bool // our close goes out, or has
}

// Read gives io.ErrUnexpectedEOF at the end: the library takes an io.EOF in the midst of
// a message for the end of that message.
func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Write drops what comes after our close, which goes past it: the library answers that of
// the peer, and does not know of ours.
func (l *line) Write(b []byte) (int, error) {
	if l.ended.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}
