package httpdrain

import (
	"syscall"
	"time"
)

// admit arms the timers of a new connection.
func (c *conn) admit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaitHeader()
	c.awaitQuiet()
}

func (c *conn) beginDrain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaitQuiet()
}

// awaitQuiet sees to it that a connection which is quiet in a drain gets closed;
// c.mu is held.
func (c *conn) awaitQuiet() {
	if c.phase != quiet || c.closed || !c.tracker.draining.Load() {
		return
	}
	d := c.tracker.config.Quiet
	if c.quietly == nil {
		c.quietly = time.AfterFunc(d, c.closeQuietly)
		return
	}
	c.quietly.Reset(d)
}

// closeQuietly closes the connection if it is and was quiet; else whoever ends
// what goes on calls awaitQuiet again.
func (c *conn) closeQuietly() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != quiet || c.ahead || c.writing > 0 || c.closed {
		return
	}
	if left := c.tracker.config.Quiet - time.Since(c.tracker.quietSince(c.last)); left > 0 {
		c.quietly.Reset(left)
		return
	}
	if unread(c.Conn) {
		c.quietly.Reset(c.tracker.config.Quiet) // the server is about to read it
		return
	}
	_ = c.shut() // the server's pending read fails, and it closes its side
}

// awaitHeader begins to limit the time for a header; c.mu is held.
func (c *conn) awaitHeader() {
	d := c.tracker.config.HeaderTimeout
	if d <= 0 || c.closed {
		return
	}
	if c.header == nil {
		c.header = time.AfterFunc(d, c.closeLate)
		return
	}
	c.header.Reset(d)
}

// closeLate closes the connection if its request still has not begun.
func (c *conn) closeLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == reading || c.phase == quiet && !c.served {
		_ = c.shut() // the server notices, as above
	}
}

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

// unread tells whether bytes wait in the receive buffer of c. It says no for
// connections that are no sockets.
func unread(c any) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	found := false
	// Control, not Read: the server sits in a Read and holds the read lock.
	err = raw.Control(func(fd uintptr) { found = peek(fd) })
	return err == nil && found
}
