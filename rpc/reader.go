package rpc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// messageReader gives the messages of a connection one after the other. io.EOF
// is the orderly end. What next leaves in m is valid until the next call.
type messageReader interface {
	next(m *message.Message) error
	limit(most int) // bytes of one message from now on
	waiting() bool  // more has come than was read
	// detach gives the memory that the body is in which next gave last, if it is in
	// nothing else; nil if it must be copied.
	detach(body []byte) *buffer
}

// frameError says that the peer sent what cannot be read.
type frameError struct{ err error }

func (e *frameError) Error() string { return e.err.Error() }
func (e *frameError) Unwrap() error { return e.err }

const (
	readBufferSize    = 2 << 10  // what an idle session holds
	maxReadBufferSize = 64 << 10 // what a busy one grows to, besides huge frames

	uncounted = 4 // bytes of its own length, which some protocols do not count
)

// frameReader reads big and cuts many frames out of one read, but a large frame goes
// into memory of its own.
type frameReader struct {
	conn   patientConn
	framer proto.Framer
	most   int // bytes of one frame; the buffer may have room for more
	usual  int // most, when the session works
	early  bool
	buf    []byte
	from   int // the bytes buf[from:to] are not yet cut
	to     int
	large  largeReader
}

func newFrameReader(conn patientConn, f proto.Framer, most int, bufs *bufferPool) *frameReader {
	sizer, _ := f.(proto.Sizer)
	return &frameReader{conn: conn, framer: f, most: most, usual: most, large: largeReader{sizer: sizer, bufs: bufs}}
}

func (r *frameReader) next(m *message.Message) error {
	r.large.release()
	for {
		if r.from < r.to {
			n, err := r.framer.CutFrame(r.buf[r.from:r.to], m)
			if err != nil {
				return &frameError{err}
			}
			if r.early && n > r.most+uncounted {
				return r.tooLarge()
			}
			if n > 0 {
				r.from += n
				r.large.follows = false
				return nil
			}
			if size, err := r.large.size(r.buf[r.from:r.to]); err != nil {
				return &frameError{err}
			} else if size > largeFrame {
				return r.nextLarge(m, size)
			}
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

func (r *frameReader) waiting() bool { return r.from < r.to }

func (r *frameReader) limit(most int) { r.most, r.early = most, most < r.usual }

func (r *frameReader) detach(body []byte) *buffer { return r.large.detach(body) }

// fill reads once.
func (r *frameReader) fill() error {
	if err := r.makeRoom(); err != nil {
		return err
	}
	space, partial := r.buf[r.to:], r.to-r.from
	if r.large.follows && partial == 0 {
		space = space[:min(len(space), largeBeginning)]
	}
	n, err := r.receive(space, partial)
	r.to += n
	return err
}

// receive reads once. A frame that is here in part has limited time.
func (r *frameReader) receive(b []byte, partial int) (int, error) {
	n, err := r.conn.readSome(b, partial > 0)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF) && partial > 0:
		return 0, &frameError{fmt.Errorf("connection ended %d bytes into a frame", partial)}
	}
	return 0, err
}

// makeRoom moves the partial frame to the front and doubles a full buffer: it
// grows with the bytes that come, never with what a size field claims.
func (r *frameReader) makeRoom() error {
	partial := r.to - r.from
	if r.from > 0 {
		copy(r.buf, r.buf[r.from:r.to])
		full := r.to == len(r.buf)
		r.from, r.to = 0, partial
		switch {
		case partial == 0 && len(r.buf) > maxReadBufferSize:
			r.buf = nil
		case full && len(r.buf) < maxReadBufferSize:
			r.grow()
		}
	}
	if r.buf == nil {
		r.buf = make([]byte, readBufferSize)
	}
	if r.to < len(r.buf) {
		return nil
	}
	if r.most > 0 && partial > r.most {
		return r.tooLarge()
	}
	r.grow()
	return nil
}

func (r *frameReader) tooLarge() error {
	return &frameError{fmt.Errorf("cannot read frame: more than %d bytes: %w", r.most, proto.ErrTooLarge)}
}

func (r *frameReader) grow() {
	bigger := make([]byte, 2*len(r.buf))
	copy(bigger, r.buf[:r.to])
	r.buf = bigger
}

// patientConn waits for ever for the first byte of a message and not much
// longer for the rest.
type patientConn struct {
	net.Conn
	patience time.Duration
	heard    *stamp // may be nil
	idle     func() // called before each read; may be nil
	armed    bool   // a read deadline is set
	since    int    // bytes since it was set
}

// patienceBytes buy a message new time, so that a slow line can carry a big one
// and a peer that trickles cannot hold its place for ever.
const patienceBytes = 64 << 10

func (c *patientConn) readSome(b []byte, partial bool) (int, error) {
	switch {
	case !partial && c.armed:
		c.armed = false
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	case partial && (!c.armed || c.since >= patienceBytes):
		c.armed, c.since = true, 0
		if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
			return 0, err
		}
	}
	if c.idle != nil {
		c.idle()
	}
	n, err := c.Conn.Read(b)
	c.since += n
	if n > 0 {
		c.heard.set()
	}
	if partial && errors.Is(err, os.ErrDeadlineExceeded) {
		err = &frameError{fmt.Errorf("the rest of a message did not come within %v", c.patience)}
	}
	return n, err
}

// streamReader serves a Proto that wants to read for itself.
type streamReader struct {
	proto  proto.Proto
	source *messageSource
}

// newStreamReader gives the reader for a Proto that was made with buffered, which nobody
// has read from and which has no memory before: a Framer does not need any.
func newStreamReader(conn patientConn, p proto.Proto, buffered *bufio.Reader, most int) *streamReader {
	s := &messageSource{conn: conn, most: most, buffered: buffered}
	buffered.Reset(s)
	return &streamReader{proto: p, source: s}
}

func (r *streamReader) next(m *message.Message) error {
	r.source.begin()
	err := r.unpack(m)
	switch {
	case err == nil, errors.Is(err, io.EOF) && r.source.untouched():
		return err
	case r.source.err != nil && !errors.Is(r.source.err, io.EOF):
		return r.source.err
	default:
		return &frameError{fmt.Errorf("cannot read message: %w", err)}
	}
}

func (r *streamReader) waiting() bool { return r.source.buffered.Buffered() > 0 }

func (r *streamReader) limit(most int) { r.source.most = most }

func (r *streamReader) detach([]byte) *buffer { return nil }

// unpack calls the Proto, in which users' code runs: what panics there is known
// before the session ends.
func (r *streamReader) unpack(m *message.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("protocol panicked: %v", v)
		}
	}()
	return r.proto.Unpack(m)
}

// messageSource is the connection as a Proto sees it: one message cannot take
// more bytes than the limit, nor more time.
type messageSource struct {
	conn     patientConn
	most     int
	buffered *bufio.Reader
	taken    int   // bytes read from conn for this message
	early    bool  // a part of this message was buffered already
	err      error // the last one of conn
}

func (s *messageSource) begin() {
	s.taken, s.early = 0, s.buffered.Buffered() > 0
}

func (s *messageSource) untouched() bool { return s.taken == 0 && !s.early }

// Read is called by the buffered reader only.
func (s *messageSource) Read(b []byte) (int, error) {
	if s.most > 0 && s.taken > s.most {
		s.err = &frameError{fmt.Errorf("cannot read message: more than %d bytes: %w", s.most, proto.ErrTooLarge)}
		return 0, s.err
	}
	n, err := s.conn.readSome(b, !s.untouched())
	s.taken += n
	s.err = err
	return n, err
}
