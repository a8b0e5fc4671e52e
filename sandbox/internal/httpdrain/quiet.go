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

// A connection counts as quiet after looks looks at it, evenly spread over
// Config.Quiet, that found nothing and were each on time. A late look means that
// this process stood still. Then perhaps the peer did, too, which has a request
// ready and sends it at the very moment we go on: the count begins anew, but not
// for ever, because on a machine that is busy enough every look is late.
const (
	looks      = 6
	lateBy     = 10 * time.Millisecond // at least; or half the time between two looks
	forgivings = 5 * looks
)

// awaitQuiet sees to it that a connection which is quiet in a drain gets closed;
// c.mu is held.
func (c *conn) awaitQuiet() {
	if c.phase != quiet || c.closed || !c.tracker.draining.Load() {
		return
	}
	c.seen = 0
	c.lookLater()
}

func (c *conn) lookLater() {
	d := c.tracker.config.Quiet / looks
	c.due = time.Now().Add(d)
	if c.quietly == nil {
		c.quietly = time.AfterFunc(d, c.look)
		return
	}
	c.quietly.Reset(d)
}

// look closes the connection if this was the last look that it took; else whoever
// ends what goes on calls awaitQuiet again.
func (c *conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != quiet || c.ahead || c.writing > 0 || c.closed {
		return
	}
	c.seen++
	if late := time.Since(c.due); late > max(lateBy, c.tracker.config.Quiet/looks/2) && c.forgiven < forgivings {
		c.seen = 0
		c.forgiven++
	}
	if c.seen < looks || unread(c.Conn) { // unread: the server is about to read it
		c.lookLater()
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
