package logfile

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Reader reads a log, whether or not anybody writes to it. Make one with
// [NewReader], or take that of a [Writer], which knows what the Writer has
// collected and not yet written.
type Reader struct {
	path  string
	flush func() error
	news  news
}

// NewReader returns a Reader of the log at path, which need not exist yet.
func NewReader(path string) *Reader {
	return &Reader{path: path, flush: func() error { return nil }, news: news{path: path}}
}

// End gives the offset behind everything that has been written.
func (r *Reader) End() (int64, error) {
	if err := r.flush(); err != nil {
		return 0, err
	}
	w, err := newWalk(r.path)
	if err != nil {
		return 0, err
	}
	newest, err := w.next()
	if newest == nil || err != nil {
		return 0, err
	}
	size, err := newest.size()
	return newest.base + size, errors.Join(err, newest.close())
}

// Last gives the offset from which on there are the last n lines of name, or of
// all if name is empty; fewer if there are not so many. With n of 0 or less that is
// the end.
func (r *Reader) Last(name string, n int) (int64, error) {
	if n <= 0 {
		return r.End()
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	w, err := newWalk(r.path)
	if err != nil {
		return 0, err
	}
	var since int64
	for n > 0 {
		s, err := w.next()
		if err != nil {
			return 0, err
		}
		if s == nil {
			break
		}
		var pos int64
		pos, n, err = lastIn(s, name, n)
		since = s.base + pos
		if err := errors.Join(err, s.close()); err != nil {
			return 0, fmt.Errorf("cannot search the log: %w", err)
		}
	}
	return since, nil
}

// lastIn gives the position of the last need lines of name in one file, and how
// many of them are missing.
func lastIn(s *segment, name string, need int) (pos int64, missing int, err error) {
	if s.packed {
		return lastInPacked(s, name, need)
	}
	size, err := s.size()
	if err != nil {
		return 0, need, err
	}
	b := backward{file: s.file, size: size, name: name, need: need}
	pos, err = b.find()
	return pos, b.need, err
}

// lastInPacked goes through the file twice, since it can only be read forward, and
// remembering all lines in between could take any amount of memory.
func lastInPacked(s *segment, name string, need int) (pos int64, missing int, err error) {
	count := 0
	if err := eachStart(s, name, func(int64) bool { count++; return true }); err != nil {
		return 0, need, err
	}
	if count <= need {
		return 0, need - count, nil
	}
	skip := count - need
	err = eachStart(s, name, func(start int64) bool {
		pos = start
		skip--
		return skip >= 0
	})
	return pos, 0, err
}

var errEnough = errors.New("enough")

// eachStart calls f with the position of each line of name until f says false.
func eachStart(s *segment, name string, f func(start int64) bool) error {
	end, rest, err := newScanner().scan(s, 0, func(line []byte, begin, _ int64) error {
		if belongs(line, name) && !f(begin) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	if err == nil && len(rest) > 0 && belongs(rest, name) {
		f(end)
	}
	return err
}

// Read calls emit for each line of name, or of all if name is empty, from an
// offset to the end as it is now, oldest first. It ends early with the error of emit
// or of ctx. What is no longer kept is left out.
func (r *Reader) Read(ctx context.Context, since int64, name string, emit func(Line) error) error {
	c := newCursor(ctx, name, emit)
	if err := r.begin(c, since); err != nil {
		return err
	}
	defer c.close()
	if err := c.toEnd(); err != nil || c.at == nil {
		return err
	}
	return c.unfinished()
}

// Follow does what Read does, and then goes on with what comes until ctx ends,
// which is no error, or emit returns one. A line that has no newline yet is waited
// for. emit may take its time: nothing is collected for it.
func (r *Reader) Follow(ctx context.Context, since int64, name string, emit func(Line) error) error {
	wake, leave := r.news.join()
	defer leave()
	c := newCursor(ctx, name, emit)
	if err := r.begin(c, since); err != nil {
		return err
	}
	defer c.close()
	for {
		err := r.catchUp(c)
		if err == nil {
			err = r.news.wait(ctx, wake)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Reader) begin(c *cursor, since int64) error {
	if err := r.flush(); err != nil {
		return err
	}
	segments, err := openSince(r.path, since)
	if err != nil {
		return err
	}
	return c.begin(segments, since)
}

// catchUp reads until c has seen all that there is.
func (r *Reader) catchUp(c *cursor) error {
	for {
		if err := c.toEnd(); err != nil {
			return err
		}
		if c.at != nil && c.at.isAt(r.path) {
			if again, err := c.rewind(); err != nil || !again {
				return err
			}
			continue
		}
		// The log is another file now, or there is one at last. Between our reaching
		// the end and the rotation something may have been written.
		if err := c.toEnd(); err != nil {
			return err
		}
		from := int64(math.MinInt64)
		if c.at != nil {
			from = c.at.base
		}
		newer, err := openSince(r.path, from)
		if err != nil {
			return err
		}
		if went, err := c.goOn(newer); err != nil || !went {
			return err
		}
	}
}
