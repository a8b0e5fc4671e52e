package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxRead bounds a line that is read; a longer one, which nobody of ours writes, is
// taken apart. In JSON a byte can become six.
func maxRead(f form) int {
	if f == (jsonForm{}) {
		return 6*maxText + maxText
	}
	return 2 * maxText
}

// blockSize is how much is read at once where only a part is looked at.
const blockSize = 64 << 10

// start puts the cursor where the selected lines begin, and tells how many of the
// newest ones it has counted, if it had to.
func (c *cursor) start(q *Query) (counted int, err error) {
	after, known := q.After[c.log.label]
	switch {
	case known:
		return 0, c.startAfter(after)
	case q.After != nil || q.Lines < 0:
		return 0, c.startSince(q.Since)
	case q.Lines == 0:
		end, err := c.log.end()
		if err != nil {
			return 0, err
		}
		return 0, c.startAfter(end)
	}
	offset, missing, err := c.findLast(q)
	if err != nil {
		return 0, err
	}
	return q.Lines - missing, c.startAfter(offset)
}

func (c *cursor) startAfter(offset int64) error {
	segments, err := openSince(c.log.path, c.log.form, offset)
	if err != nil || len(segments) == 0 {
		return err
	}
	var pos int64
	if offset > segments[0].base {
		size, err := segments[0].size()
		if err != nil {
			return errors.Join(err, closeSegments(segments))
		}
		pos = min(offset-segments[0].base, size)
	}
	c.begin(segments, pos)
	return nil
}

func (c *cursor) startSince(since time.Time) error {
	segments, err := openBack(c.log.path, c.log.form, c.filter.old)
	if err != nil || len(segments) == 0 {
		return err
	}
	var pos int64
	if !since.IsZero() {
		if pos, _, err = segments[0].around(since.Add(-slack)); err != nil {
			return errors.Join(err, closeSegments(segments))
		}
	}
	c.begin(segments, pos)
	return nil
}

// findLast gives the offset at which the newest selected lines begin, and how many
// of them there are too few.
func (c *cursor) findLast(q *Query) (offset int64, missing int, err error) {
	w, err := newWalk(c.log.path, c.log.form)
	if err != nil {
		return 0, 0, err
	}
	b := &backward{ctx: c.ctx, form: c.log.form, filter: newFilter(q, c.log), need: q.Lines}
	b.filter.now = time.Now()
	for b.need > 0 {
		s, err := w.next()
		if err != nil {
			return 0, 0, err
		}
		if s == nil {
			break
		}
		pos, err := b.inFile(s)
		offset = s.base + pos
		old := b.filter.old(s)
		if err := errors.Join(err, s.close()); err != nil {
			return 0, 0, fmt.Errorf("cannot search the log: %w", err)
		}
		if old {
			break
		}
	}
	return offset, b.need, nil
}

// backward finds where the last selected lines begin.
type backward struct {
	ctx    context.Context
	form   form
	filter *filter
	need   int // lines that are still to be found

	file  io.ReaderAt
	block []byte
	low   int64 // position of the block
	long  []byte
}

// inFile gives the position of the first of the wanted lines in a file; what is
// missing then stays in need.
func (b *backward) inFile(s *segment) (int64, error) {
	b.filter.enter(s)
	if s.packed {
		return b.inPacked(s)
	}
	low, high, err := int64(0), int64(0), error(nil)
	if high, err = s.size(); err != nil {
		return 0, err
	}
	if q := b.filter.query; !q.Until.IsZero() {
		if _, high, err = s.around(q.Until.Add(slack)); err != nil {
			return 0, err
		}
	}
	if q := b.filter.query; !q.Since.IsZero() {
		if low, _, err = s.around(q.Since.Add(-slack)); err != nil {
			return 0, err
		}
	}
	b.file = s.file
	return b.find(low, high)
}

// find looks at the lines between two positions at which lines begin.
func (b *backward) find(bottom, top int64) (int64, error) {
	if b.block == nil {
		b.block = make([]byte, blockSize)
	}
	end := top // of the line that is being looked for
	for b.low = top; b.low > bottom; {
		high := b.low
		b.low = max(bottom, high-blockSize)
		b.block = b.block[:high-b.low]
		if _, err := b.file.ReadAt(b.block, b.low); err != nil {
			return 0, err
		}
		for at := len(b.block); ; {
			at = bytes.LastIndexByte(b.block[:at], '\n')
			if at < 0 {
				break
			}
			start := b.low + int64(at) + 1
			if start == top {
				continue
			}
			if err := b.count(start, end); err != nil || b.need == 0 {
				return start, err
			}
			end = start
		}
	}
	if top == bottom {
		return bottom, nil
	}
	return bottom, b.count(bottom, end)
}

// count looks at a line.
func (b *backward) count(start, end int64) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	end = min(end, start+int64(maxRead(b.form)))
	var line []byte
	if block := b.low + int64(len(b.block)); end <= block {
		line = b.block[start-b.low : end-b.low]
	} else {
		if b.long == nil {
			b.long = make([]byte, maxRead(b.form))
		}
		line = b.long[:end-start]
		if _, err := b.file.ReadAt(line, start); err != nil {
			return err
		}
	}
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if start == 0 && isContinuation(b.form, line) {
		return nil
	}
	if _, ok := b.filter.wants(line, b.form); ok {
		b.need--
	}
	return nil
}

// inPacked goes through the file twice, since it can only be read forward, and
// remembering all lines in between could take any amount of memory.
func (b *backward) inPacked(s *segment) (int64, error) {
	found := 0
	err := b.eachIn(s, func(int64) bool { found++; return true })
	if err != nil || found <= b.need {
		b.need -= found
		return 0, err
	}
	skip, pos := found-b.need, int64(0)
	b.need = 0
	return pos, b.eachIn(s, func(start int64) bool {
		pos = start
		skip--
		return skip >= 0
	})
}

// eachIn calls f with the position of each selected line until f says false.
func (b *backward) eachIn(s *segment, f func(start int64) bool) error {
	c := newCursor(b.ctx, &Reader{form: b.form}, b.filter)
	c.at = s
	for {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		before := c.pos
		line, err := c.read()
		if err == io.EOF && len(c.rest) > 0 {
			line, err = c.take(c.rest), nil
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := b.filter.wants(line, b.form); ok && !f(before) {
			return nil
		}
	}
}

// begins is the time of the first line of a file, as far as it can be told.
func (s *segment) begins() (time.Time, bool) {
	if s.form == (rawForm{}) {
		return time.Unix(0, s.base), s.base > 0
	}
	_, t, err := s.timed(0, blockSize)
	return t, err == nil && !t.IsZero()
}

// around brackets a time in a file: the lines before low are older, those from
// high on are not, and in between there is little. A file that can only be read
// forward is taken as a whole.
func (s *segment) around(t time.Time) (low, high int64, err error) {
	if s.packed {
		return 0, 1 << 62, nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	high = info.Size()
	if s.form == (rawForm{}) {
		if info.ModTime().Before(t) {
			low = high
		}
		return low, high, nil
	}
	for top := high; top-low > blockSize; {
		middle := low + (top-low)/2
		at, when, err := s.timed(middle, top)
		switch {
		case err != nil:
			return 0, 0, err
		case at < 0: // no line of this half says its time
			top = middle
		case when.Before(t):
			low = at
		default:
			top, high = at, at
		}
	}
	return low, high, nil
}

// timed finds the first line of known time that begins behind from, or at 0, and
// not behind to. at is less than 0 if there is none.
func (s *segment) timed(from, to int64) (at int64, when time.Time, err error) {
	r, err := s.from(from)
	if err != nil {
		return 0, time.Time{}, err
	}
	// The beginning of a line is enough.
	buf := bufio.NewReaderSize(r, 4<<10)
	for pos, begun := from, from > 0; pos < to; {
		line, err := buf.ReadSlice('\n')
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, time.Time{}, err
		}
		if !begun {
			if h, ok := s.form.peek(line); ok {
				return pos, h.time, nil
			}
		}
		if err == io.EOF {
			break
		}
		pos += int64(len(line))
		begun = err != nil
	}
	return -1, time.Time{}, nil
}
