package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// cursor goes through the files of a log and finds the lines that are selected.
type cursor struct {
	ctx    context.Context
	log    *Reader
	filter *filter
	limit  int64 // offset at which to end

	buf   *bufio.Reader // what follows pos, if ready
	ready bool
	rest  []byte     // what buf had behind the last newline; until the next read
	at    *segment   // nil as long as there is no log
	pos   int64      // in at, behind the last complete line that was seen
	ahead []*segment // newer ones, oldest first
	left  bool       // at is no longer the log; what was written to it last may be unread
}

func newCursor(ctx context.Context, r *Reader, f *filter) *cursor {
	return &cursor{ctx: ctx, log: r, filter: f, limit: math.MaxInt64, buf: bufio.NewReaderSize(nil, maxRead(r.form))}
}

// begin puts the cursor into the first of some files. It takes them over.
func (c *cursor) begin(segments []*segment, pos int64) {
	if len(segments) == 0 {
		return
	}
	c.at, c.ahead, c.pos = segments[0], segments[1:], pos
	c.filter.enter(c.at)
}

// stopHere makes that what comes from now on is not read.
func (c *cursor) stopHere() error {
	if c.at == nil {
		c.limit = 0
		return nil
	}
	newest := c.at
	if len(c.ahead) > 0 {
		newest = c.ahead[len(c.ahead)-1]
	}
	if newest.packed {
		return nil // it is complete
	}
	size, err := newest.size()
	c.limit = newest.base + size
	return err
}

// next gives the next selected line, or false when there is none for now.
func (c *cursor) next() (Line, bool, error) {
	for !c.filter.late {
		if err := c.ctx.Err(); err != nil {
			return Line{}, false, err
		}
		line, err := c.line()
		if line == nil || err != nil {
			return Line{}, false, err
		}
		if l, ok := c.filter.wants(line, c.log.form); ok {
			l.Log, l.Offset = c.log.label, c.at.base+c.pos
			return l, true, nil
		}
	}
	return Line{}, false, nil
}

// line gives the next line, whoever's it is; it is valid until the next call. It
// is nil when there is none for now.
func (c *cursor) line() ([]byte, error) {
	for c.at == nil || c.at.base+c.pos < c.limit {
		if c.at != nil {
			line, err := c.read()
			if err == nil {
				return line, nil
			}
			if err != io.EOF {
				return nil, fmt.Errorf("cannot read %s: %w", c.at.file.Name(), err)
			}
		}
		if len(c.ahead) > 0 {
			// Nobody finishes the last line of a file that is no longer written to.
			if len(c.rest) > 0 {
				return c.take(c.rest), nil
			}
			if err := c.step(); err != nil {
				return nil, err
			}
			continue
		}
		if more, err := c.catchUp(); err != nil || !more {
			return nil, err
		}
	}
	return nil, nil
}

// read gives the next complete line of this file, or io.EOF.
func (c *cursor) read() ([]byte, error) {
	if !c.ready {
		r, err := c.at.from(c.pos)
		if err != nil {
			return nil, err
		}
		c.buf.Reset(r)
		c.ready, c.rest = true, nil
	}
	for {
		line, err := c.buf.ReadSlice('\n')
		if err == io.EOF {
			c.ready, c.rest = false, line
			return nil, io.EOF
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		first := c.pos == 0
		line = c.take(line)
		if !first || !isContinuation(c.log.form, line) {
			return line, nil
		}
	}
}

// take goes behind a line.
func (c *cursor) take(line []byte) []byte {
	c.pos += int64(len(line))
	c.rest = nil
	return bytes.TrimSuffix(line, []byte{'\n'})
}

func (c *cursor) step() error {
	err := c.at.close()
	c.goTo(c.ahead)
	return err
}

func (c *cursor) goTo(segments []*segment) {
	c.ready, c.left = false, false
	c.begin(segments, 0)
}

// catchUp is for the end of the newest file that is known: it tells whether there
// may be more.
func (c *cursor) catchUp() (bool, error) {
	if c.at != nil && c.at.isAt(c.log.path) {
		return c.rewind()
	}
	if c.at != nil && !c.left {
		// Between our reaching the end and the rotation something may have been
		// written.
		c.left = true
		return true, nil
	}
	from := int64(math.MinInt64)
	if c.at != nil {
		from = c.at.base
	}
	newer, err := openSince(c.log.path, c.log.form, from)
	if err != nil {
		return false, err
	}
	return c.goOn(newer)
}

// goOn takes over newly opened files, and tells whether one of them is newer than
// the present one.
func (c *cursor) goOn(segments []*segment) (bool, error) {
	fresh := segments
	for i, s := range segments {
		if c.at != nil && c.isHere(s) {
			fresh = segments[i+1:]
		}
	}
	err := closeSegments(segments[:len(segments)-len(fresh)])
	if err != nil || len(fresh) == 0 {
		return false, errors.Join(err, closeSegments(fresh))
	}
	if c.at == nil {
		c.goTo(fresh)
	} else {
		c.ahead = fresh
	}
	return true, nil
}

// isHere tells whether s is the present file, perhaps packed by now, or one older
// than that.
func (c *cursor) isHere(s *segment) bool {
	ours, err := c.at.file.Stat()
	if err != nil {
		return false
	}
	theirs, err := s.file.Stat()
	return err == nil && (os.SameFile(ours, theirs) || s.packed && s.base <= c.at.base)
}

// rewind goes to the beginning of the file if somebody has truncated it.
func (c *cursor) rewind() (bool, error) {
	size, err := c.at.size()
	if err != nil {
		return false, fmt.Errorf("cannot follow the log: %w", err)
	}
	if size >= c.pos {
		return false, nil
	}
	c.goTo([]*segment{c.at})
	return true, nil
}

// last gives what there is of a last line without a newline, if it is selected and
// nobody is writing it just now.
func (c *cursor) last() (l Line, ok bool, err error) {
	if c.at == nil || c.at.base+c.pos >= c.limit {
		return Line{}, false, nil
	}
	if !c.at.packed {
		ours, err := tryLock(c.at.file)
		if err != nil || !ours {
			return Line{}, false, err
		}
		defer func() { err = errors.Join(err, unlock(c.at.file)) }()
	}
	c.ready = false
	line, err := c.read()
	if err == io.EOF && len(c.rest) > 0 {
		line, err = c.take(c.rest), nil
	}
	if err != nil {
		return Line{}, false, nil
	}
	if l, ok = c.filter.wants(line, c.log.form); ok {
		l.Log, l.Offset = c.log.label, c.at.base+c.pos
	}
	return l, ok, nil
}

func (c *cursor) close() error {
	if c.at == nil {
		return nil
	}
	return errors.Join(c.at.close(), closeSegments(c.ahead))
}
