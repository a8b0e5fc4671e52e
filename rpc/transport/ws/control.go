package ws

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"

	"github.com/coder/websocket"
)

// The library could write pongs and closes itself, but it waits for other messages only
// 5 s before it gives the connection up, and once it has written a close it reads no
// message any more. Here they are written by whoever has the turn.

// The kinds of control frames, each of them final.
const (
	frameClose = 0x88
	framePong  = 0x8a
)

const (
	mostControl = 125 // bytes of its payload
	maskBytes   = 4
)

// writeControl writes one frame in one piece. It is called with the turn.
func (c *Conn) writeControl(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 0, 2+maskBytes+mostControl)
	frame = append(frame, kind, byte(len(payload)))
	if c.dialed {
		var mask [maskBytes]byte
		_, _ = rand.Read(mask[:]) // it never fails
		frame[1] |= 0x80
		frame = append(frame, mask[:]...)
		for i, b := range payload {
			frame = append(frame, b^mask[i%maskBytes])
		}
	} else {
		frame = append(frame, payload...)
	}
	_, err := w.Write(frame)
	return err
}

// writeClose writes our close, once. It is called with the turn.
func (c *Conn) writeClose(code websocket.StatusCode) {
	// First of all, for the answer to the peer's answer may be faster than we are.
	if !c.line.ended.Swap(true) {
		_ = c.writeControl(c.line.Conn, frameClose, binary.BigEndian.AppendUint16(nil, uint16(code))) // the reader sees
	}
}

// ping is called by the reader, which goes on while somebody else answers. Of pings that
// come faster than answers go, the last is answered.
func (c *Conn) ping(_ context.Context, payload []byte) bool {
	c.mu.Lock()
	c.pong = append([]byte{}, payload...)
	answering := c.answering
	c.answering = true
	c.mu.Unlock()
	if !answering {
		c.start(c.answerPings)
	}
	return false
}

func (c *Conn) answerPings() {
	for c.takeTurn() {
		payload := c.nextPong()
		if payload == nil {
			c.giveTurn()
			return
		}
		err := c.writeControl(c.line, framePong, payload)
		if c.giveTurn(); err != nil {
			return
		}
	}
}

func (c *Conn) nextPong() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	payload := c.pong
	c.pong = nil
	c.answering = payload != nil
	return payload
}

// start runs f on a goroutine that Close waits for.
func (c *Conn) start(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed() {
		c.helpers.Go(f)
	}
}

// takeTurn waits until nobody writes; it is false if the connection is closed.
func (c *Conn) takeTurn() bool {
	select {
	case c.turn <- struct{}{}:
		return true
	case <-c.closed:
		return false
	}
}

func (c *Conn) giveTurn() { <-c.turn }
