package ws

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	sizeBytes = 4
	// firstBuffer is how much of a message is read first; more comes by doubling. An idle
	// connection keeps no more.
	firstBuffer = 4 << 10
	// patienceBytes buy a message new time.
	patienceBytes = 64 << 10
)

// Conn is a websocket as a stream of frames. Its deadlines are for good: after one has
// passed, reading or writing has ended.
type Conn struct {
	ws     *websocket.Conn
	line   *line // below it
	dialed bool
	limit  int // bytes of a message

	reading   sync.Mutex
	deadlines deadlines
	buf       []byte // the last message, as a frame
	unread    []byte // what is left of it
	readErr   error

	writing sync.Mutex
	split   splitter
	turn    chan struct{} // who has it writes one message

	ending atomic.Bool   // nothing more is written
	closed chan struct{} // nothing more is read either; closed under mu
	once   sync.Once     // for Close

	mu        sync.Mutex
	helpers   sync.WaitGroup // they begin under mu
	answering bool           // a helper answers pings
	pong      []byte         // the next answer; nil is none
}

var _ net.Conn = (*Conn)(nil)

func newConn(o Options, dialed bool) *Conn {
	return &Conn{
		dialed: dialed, limit: o.Message, deadlines: deadlines{patience: o.FrameTime},
		split: splitter{limit: o.Message}, turn: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// open completes a Conn once the handshake is over.
func (c *Conn) open(ws *websocket.Conn, line *line) {
	c.ws, c.line, c.deadlines.line = ws, line, line
	ws.SetReadLimit(int64(c.limit))
}

// Subprotocol is what the handshake agreed on; empty is nothing.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// NetConn is the connection below, for a look at its credentials or options; reading,
// writing and closing belong to the Conn.
func (c *Conn) NetConn() net.Conn { return c.line.Conn }

// LocalAddr is our end of the connection below.
func (c *Conn) LocalAddr() net.Addr { return c.line.LocalAddr() }

// RemoteAddr is the other end of the connection below.
func (c *Conn) RemoteAddr() net.Addr { return c.line.RemoteAddr() }

// Read gives the frame of the next message. io.EOF is the orderly end: the peer closed
// with 1000, 1001, 1012 or nothing to say; another code is a *[CloseError].
func (c *Conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	if len(c.unread) == 0 {
		if c.readErr == nil {
			c.readErr = c.readMessage()
		}
		if c.readErr != nil {
			return 0, c.readErr
		}
	}
	n := copy(b, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) == 0 && cap(c.buf) > firstBuffer {
		c.buf = nil
	}
	return n, nil
}

// readMessage waits for ever for a message to begin and not much longer for the rest. It
// takes memory in proportion to what has come.
func (c *Conn) readMessage() error {
	_, message, err := c.ws.Reader(context.Background())
	if err != nil {
		return c.readFailed(err)
	}
	defer c.deadlines.messageEnds()
	buf := append(c.buf[:0], 0, 0, 0, 0)
	for since := patienceBytes; ; {
		if since >= patienceBytes {
			since = 0
			c.deadlines.messageGoesOn()
		}
		buf = roomFor(buf)
		n, err := message.Read(buf[len(buf):min(cap(buf), len(buf)+patienceBytes)])
		buf, since = buf[:len(buf)+n], since+n
		if err == io.EOF {
			break
		}
		if err != nil {
			return c.messageFailed(err, len(buf)-sizeBytes)
		}
	}
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-sizeBytes))
	c.buf, c.unread = buf, buf
	return nil
}

func roomFor(buf []byte) []byte {
	if len(buf) < cap(buf) {
		return buf
	}
	bigger := make([]byte, len(buf), max(2*cap(buf), firstBuffer))
	copy(bigger, buf)
	return bigger
}

// readFailed says why there is no message.
func (c *Conn) readFailed(err error) error {
	var end websocket.CloseError
	switch {
	case c.isClosed():
		return net.ErrClosed
	case errors.As(err, &end):
		return endOf(end)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.EOF // as older peers leave
	}
	return fmt.Errorf("cannot read: %w", err)
}

// messageFailed says why a message has no end.
func (c *Conn) messageFailed(err error, got int) error {
	var end websocket.CloseError
	switch {
	case c.isClosed():
		return net.ErrClosed
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("cannot read a message: more than %d bytes: %w", c.limit, err)
	case errors.As(err, &end), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("connection ended %d bytes into a message: %w", got, err)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.deadlines.messageIsLate():
		return fmt.Errorf("the rest of a message did not come within %v: %w", c.deadlines.patience, err)
	}
	return fmt.Errorf("cannot read a message: %w", err)
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline makes Read fail with os.ErrDeadlineExceeded from t on.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.deadlines.set(t) }

// SetWriteDeadline makes Write fail with os.ErrDeadlineExceeded from t on.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.line.SetWriteDeadline(t) }

func (c *Conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
