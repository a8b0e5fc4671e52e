package httpdrain

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// phase is what a connection is doing, as seen from below the server:
//
//	          first byte            handler begins
//	+--> quiet ---------> reading ------------------> handling
//	|      ^                 |                        |      |
//	|      +-----------------+                        |      | Hijack
//	|     the server writes: no request after all     |      v
//	|                                                 |   hijacked
//	+--------------- answering <----------------------+
//	  the server reads again    handler has returned
//
// A request that was read together with the one before it begins while the
// connection is answering.
type phase int

const (
	quiet     phase = iota // no request
	reading                // bytes of a request were read
	handling               // its handler runs
	answering              // the server sends what is left of the response
	hijacked               // the connection belongs to the user
)

// conn is one tracked connection.
type conn struct {
	net.Conn
	tracker *Tracker
	number  uint64

	mu       sync.Mutex
	phase    phase
	ahead    bool   // a byte of the next request was read while a handler ran
	running  bool   // the handler has not returned; also after it hijacked
	writing  int    // Writes that go on
	served   bool   // it has had a request
	request  string // the last one, for people
	closed   bool   // by the server, the user, or us
	released bool   // forgotten by the tracker
	header   *time.Timer

	// See look:
	quietly  *time.Timer
	due      time.Time // when it should fire
	seen     int       // looks in a row that found nothing
	forgiven int       // late looks
}

// Read reads and notes whether this was the beginning of a request.
func (c *conn) Read(p []byte) (int, error) {
	c.beginRead()
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.endRead(len(p))
	}
	return n, err
}

func (c *conn) beginRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == answering {
		c.phase = quiet
		c.awaitQuiet()
	}
}

// endRead notes that a read with room for size bytes found some.
func (c *conn) endRead(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == quiet:
		c.phase = reading
		c.awaitHeader()
	case c.phase == handling && size == 1:
		// net/http watches for the peer's leaving with reads of one byte; what
		// they find belongs to the next request. Bodies are read in bigger pieces.
		c.ahead = true
	}
}

// Write writes and notes that a response is on its way.
func (c *conn) Write(p []byte) (int, error) {
	c.beginWrite()
	defer c.endWrite()
	return c.Conn.Write(p)
}

// ReadFrom keeps the way open for sendfile(2).
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	c.beginWrite()
	defer c.endWrite()
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

func (c *conn) beginWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing++
	if c.phase == reading {
		// What was read is the rest of a body that the handler did not want (or,
		// with TLS, part of the handshake): a server answers no request before it
		// has called the handler, except to refuse it and close.
		c.phase = quiet
	}
}

func (c *conn) endWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing--
	c.awaitQuiet()
}

// CloseWrite is what net/http uses to let a peer read a last answer.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Close is called by the server, or by the user of a hijacked connection.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.shut()
	c.release()
	return err
}

// abort breaks the connection; the server will notice and close it.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.shut() // broken is what it shall be
}

// shut closes the descriptor once; c.mu is held.
func (c *conn) shut() error {
	if c.closed {
		return nil
	}
	c.closed = true
	stopTimer(c.quietly)
	stopTimer(c.header)
	return c.Conn.Close()
}

// release makes the tracker forget a connection that nobody uses any more; c.mu
// is held.
func (c *conn) release() {
	if c.closed && !c.running && !c.released {
		c.released = true
		c.tracker.forget(c)
	}
}

func (c *conn) beginRequest(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.ahead, c.running, c.served = handling, false, true, true
	c.request = r.Method + " " + r.URL.Path
	stopTimer(c.header)
}

func (c *conn) endRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	if c.phase != hijacked {
		c.phase = answering
		return // the server closes it or reads on
	}
	c.release()
}

func (c *conn) hijack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = hijacked
}

func (c *conn) isHijacked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == hijacked
}

// kill closes the connection at the deadline and says what that cut, if it cut
// anything.
func (c *conn) kill() (what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ""
	}
	switch {
	case c.phase == hijacked:
		what = fmt.Sprintf("%s from %s (upgraded connection)", c.request, c.from())
	case c.phase == handling, c.phase == answering, c.writing > 0:
		what = fmt.Sprintf("%s from %s", c.request, c.from())
	case c.phase == reading, c.ahead:
		what = fmt.Sprintf("a request that had not fully arrived from %s", c.from())
	}
	_ = c.shut() // time is over, whatever it says
	if c.phase == hijacked {
		c.release() // its user is not bound to close it again
	}
	return what
}

// from names the peer; those on unix sockets have no name.
func (c *conn) from() string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" && a.String() != "@" {
		return a.String()
	}
	return "a local peer"
}
