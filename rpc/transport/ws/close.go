package ws

import (
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
)

// CloseError is the end of a connection for which the peer had a reason.
type CloseError struct {
	Code   int    // of RFC 6455, section 7.4
	Reason string // may be empty; the peer's words
}

// Error names the code.
func (e *CloseError) Error() string {
	return fmt.Sprintf("the peer closed the websocket with code %d %q", e.Code, e.Reason)
}

// endOf tells an orderly end from others.
func endOf(end websocket.CloseError) error {
	switch end.Code {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd, websocket.StatusServiceRestart:
		return io.EOF
	default:
		return &CloseError{Code: int(end.Code), Reason: end.Reason}
	}
}

// CloseWrite begins the closing handshake and does not wait for it: Read gives io.EOF
// when the peer has answered, after what it sent before; how long to wait is up to the
// caller. Who dialled sends 1000, who was dialled 1012.
func (c *Conn) CloseWrite() error {
	if c.ending.Swap(true) {
		return nil
	}
	code := websocket.StatusServiceRestart
	if c.dialed {
		code = websocket.StatusNormalClosure
	}
	c.start(func() {
		if c.takeTurn() {
			c.writeClose(code)
			c.giveTurn()
		}
	})
	return nil
}

// goodbyeTime is how long Close tries to say that it closes, if not at once.
const goodbyeTime = 20 * time.Millisecond

// Close ends both directions at once. If no closing handshake has begun and the peer
// reads, it gets 1001. A second Close does nothing.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.ending.Store(true)
		c.endHelpers()
		c.deadlines.end()
		c.sayGoodbye()
		_ = c.line.Close() // whatever it says, nobody uses it any more
		_ = c.ws.CloseNow()
		c.helpers.Wait()
	})
	return nil
}

func (c *Conn) endHelpers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.closed)
}

// sayGoodbye lets a message that goes out right now go before; one that is stuck is stuck.
func (c *Conn) sayGoodbye() {
	_ = c.line.SetWriteDeadline(time.Now().Add(goodbyeTime))
	patience := time.NewTimer(goodbyeTime)
	defer patience.Stop()
	select {
	case c.turn <- struct{}{}:
		c.writeClose(websocket.StatusGoingAway)
		c.giveTurn()
	case <-patience.C:
	}
}
