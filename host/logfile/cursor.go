package logfile

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// cursor goes through the files of a log and emits the lines that are asked for.
type cursor struct {
	ctx  context.Context
	name string
	emit func(Line) error

	scanner *scanner
	at      *segment   // nil as long as there is no log
	pos     int64      // in at, behind the last complete line that was seen
	ahead   []*segment // newer ones, oldest first
}

func newCursor(ctx context.Context, name string, emit func(Line) error) *cursor {
	return &cursor{ctx: ctx, name: name, emit: emit, scanner: newScanner()}
}

// begin puts the cursor at an offset. It takes over the segments.
func (c *cursor) begin(segments []*segment, since int64) error {
	if len(segments) == 0 {
		return nil
	}
	c.at, c.ahead = segments[0], segments[1:]
	if since <= c.at.base {
		return nil
	}
	size, err := c.at.size()
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", errors.Join(err, c.close()))
	}
	c.pos = min(since-c.at.base, size)
	return nil
}

// toEnd emits the complete lines of this file and of those that are open ahead.
func (c *cursor) toEnd() error {
	for c.at != nil {
		end, rest, err := c.scanner.scan(c.at, c.pos, c.visit)
		c.pos = end
		if err != nil || len(c.ahead) == 0 {
			return err
		}
		// Nobody finishes the last line of a file that is no longer written to.
		if err := c.last(rest); err != nil {
			return err
		}
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cursor) visit(line []byte, _, end int64) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if !belongs(line, c.name) {
		return nil
	}
	l, _ := Parse(line)
	l.Offset = c.at.base + end
	return c.emit(l)
}

func (c *cursor) last(rest []byte) error {
	if len(rest) == 0 {
		return nil
	}
	begin := c.pos
	c.pos += int64(len(rest))
	return c.visit(rest, begin, c.pos)
}

func (c *cursor) step() error {
	err := c.at.close()
	c.at, c.ahead, c.pos = c.ahead[0], c.ahead[1:], 0
	return err
}

// unfinished emits a last line without a newline. What somebody is writing just
// now does not count.
func (c *cursor) unfinished() error {
	if c.at.packed {
		return c.finish()
	}
	ours, err := tryLock(c.at.file)
	if err != nil || !ours {
		return err
	}
	return errors.Join(c.finish(), unlock(c.at.file))
}

func (c *cursor) finish() error {
	end, rest, err := c.scanner.scan(c.at, c.pos, c.visit)
	c.pos = end
	if err != nil {
		return err
	}
	return c.last(rest)
}

// goOn takes over newly opened files and goes to the first that is newer than the
// present one. It tells false if there is none.
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
		c.at, c.ahead, c.pos = fresh[0], fresh[1:], 0
		return true, nil
	}
	c.ahead = fresh
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
	c.pos = 0
	return true, nil
}

func (c *cursor) close() error {
	if c.at == nil {
		return nil
	}
	return errors.Join(c.at.close(), closeSegments(c.ahead))
}
