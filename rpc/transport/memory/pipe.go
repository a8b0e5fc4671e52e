package memory

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufferSize is how many bytes wait in one direction before Write waits.
const bufferSize = 64 << 10

// Pipe returns the two ends of a connection; both have the given address.
func Pipe(addr net.Addr) (near, far *Conn) {
	up, down := newHalf(), newHalf()
	near = &Conn{addr: addr, in: down, out: up}
	far = &Conn{addr: addr, in: up, out: down}
	return near, far
}

// Conn is one end of a connection.
type Conn struct {
	addr    net.Addr
	in, out *half
}

var _ net.Conn = (*Conn)(nil)

// Read waits for bytes. After the other end has closed it gives what is left,
// then io.EOF; after our own Close it gives net.ErrClosed.
func (c *Conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write waits until all bytes are buffered. Once either end has closed it gives
// io.ErrClosedPipe or net.ErrClosed.
func (c *Conn) Write(b []byte) (int, error) { return c.out.write(b) }

// TryWrite is Write that never waits: it may take fewer bytes, or none.
func (c *Conn) TryWrite(b []byte) (int, error) { return c.out.tryWrite(b) }

// CloseWrite lets the other end read what was written, then io.EOF.
func (c *Conn) CloseWrite() error {
	c.out.endWrite()
	return nil
}

// Close ends both directions. What was written can still be read by the other
// end. A second Close does nothing.
func (c *Conn) Close() error {
	c.out.endWrite()
	c.out.abandonWrite()
	c.in.endRead()
	return nil
}

// LocalAddr is the name that was dialled.
func (c *Conn) LocalAddr() net.Addr { return c.addr }

// RemoteAddr is the name that was dialled.
func (c *Conn) RemoteAddr() net.Addr { return c.addr }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.reader.set(t, &c.in.mu, c.in.wake)
	c.out.writer.set(t, &c.out.mu, c.out.wake)
	return nil
}

// SetReadDeadline makes Read fail with os.ErrDeadlineExceeded from t on.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.reader.set(t, &c.in.mu, c.in.wake)
	return nil
}

// SetWriteDeadline makes Write fail with os.ErrDeadlineExceeded from t on.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.writer.set(t, &c.out.mu, c.out.wake)
	return nil
}

// half is one direction: a buffer with a reading and a writing end.
type half struct {
	mu     sync.Mutex
	wake   *sync.Cond // any change
	buf    []byte     // what was written and not read
	ended  bool       // no more bytes will come
	quit   bool       // the writing end was closed, not only ended
	gone   bool       // nobody will read any more
	reader deadline
	writer deadline
}

func newHalf() *half {
	h := new(half)
	h.wake = sync.NewCond(&h.mu)
	return h
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.gone:
			return 0, net.ErrClosed
		case h.reader.passed:
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0 || len(b) == 0:
			n := copy(b, h.buf)
			if h.buf = h.buf[n:]; len(h.buf) == 0 {
				h.buf = nil // an idle connection keeps no buffer
			}
			h.wake.Broadcast()
			return n, nil
		case h.ended:
			return 0, io.EOF
		}
		h.wake.Wait()
	}
}

func (h *half) write(b []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		took, err := h.put(b[n:])
		if n += took; err != nil || n == len(b) {
			return n, err
		}
		h.wake.Wait()
	}
}

func (h *half) tryWrite(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.put(b)
}

// put takes what fits; the caller holds mu.
func (h *half) put(b []byte) (int, error) {
	switch {
	case h.quit || h.ended:
		return 0, net.ErrClosed
	case h.gone:
		return 0, io.ErrClosedPipe
	case h.writer.passed:
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(b), bufferSize-len(h.buf))
	if n > 0 {
		h.buf = append(h.buf, b[:n]...)
		h.wake.Broadcast()
	}
	return n, nil
}

func (h *half) endWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.wake.Broadcast()
}

func (h *half) abandonWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.quit = true
	h.writer.stop()
	h.wake.Broadcast()
}

func (h *half) endRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone, h.buf = true, nil
	h.reader.stop()
	h.wake.Broadcast()
}

// deadline is a time after which one end of a half fails.
type deadline struct {
	timer  *time.Timer
	passed bool
	round  int // tells a timer that was replaced from the current one
}

func (d *deadline) set(t time.Time, mu *sync.Mutex, wake *sync.Cond) {
	mu.Lock()
	defer mu.Unlock()
	d.stop()
	d.round++
	d.passed = false
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		d.passed = true
	default:
		round := d.round
		d.timer = time.AfterFunc(wait, func() {
			mu.Lock()
			defer mu.Unlock()
			if d.round == round {
				d.passed = true
				wake.Broadcast()
			}
		})
	}
	wake.Broadcast()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
