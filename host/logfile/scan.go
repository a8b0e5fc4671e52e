package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRead bounds a line that is read; a longer one, which nobody of ours writes, is
// taken apart.
const maxRead = 128 << 10

// blockSize is how much is read at once on the way backwards.
const blockSize = 64 << 10

// scanner reads lines forward, one file after another.
type scanner struct {
	buf *bufio.Reader
}

func newScanner() *scanner { return &scanner{buf: bufio.NewReaderSize(nil, maxRead)} }

// visit takes a line without its newline, where it begins, and where the next does.
type visit func(line []byte, begin, end int64) error

// scan calls visit for each complete line of s from pos on and returns the position
// behind the last of them. rest is what follows without a newline; it is valid until
// the next scan.
func (c *scanner) scan(s *segment, pos int64, visit visit) (end int64, rest []byte, err error) {
	r, err := s.from(pos)
	if err != nil {
		return pos, nil, fmt.Errorf("cannot read %s: %w", s.file.Name(), err)
	}
	c.buf.Reset(r)
	for {
		line, err := c.buf.ReadSlice('\n')
		if err == io.EOF {
			return pos, line, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return pos, nil, fmt.Errorf("cannot read %s: %w", s.file.Name(), err)
		}
		begin := pos
		pos += int64(len(line))
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if begin == 0 && isContinuation(line) {
			continue
		}
		if err := visit(line, begin, pos); err != nil {
			return pos, nil, err
		}
	}
}

// backward finds where the last lines of a file that belong to a name begin.
type backward struct {
	file io.ReaderAt
	size int64
	name string
	need int // lines that are still to be found

	block []byte
	low   int64 // position of the block
}

// find gives the position of the first of the wanted lines; with too few in the
// file need is what is missing.
func (b *backward) find() (int64, error) {
	b.block = make([]byte, 0, blockSize)
	b.low = b.size
	for b.low > 0 {
		high := b.low
		b.low = max(0, high-blockSize)
		b.block = b.block[:high-b.low]
		if _, err := b.file.ReadAt(b.block, b.low); err != nil {
			return 0, err
		}
		start, err := b.inBlock()
		if err != nil || b.need == 0 {
			return start, err
		}
	}
	if b.size == 0 {
		return 0, nil
	}
	return 0, b.count(0)
}

// inBlock goes through the lines that begin in the block, but for one at the very
// beginning of the file.
func (b *backward) inBlock() (int64, error) {
	for end := len(b.block); ; {
		end = bytes.LastIndexByte(b.block[:end], '\n')
		if end < 0 {
			return 0, nil
		}
		start := b.low + int64(end) + 1
		if start == b.size {
			continue
		}
		if err := b.count(start); err != nil || b.need == 0 {
			return start, err
		}
	}
}

// count looks at the line that begins at start.
func (b *backward) count(start int64) error {
	if b.name == "" && start > 0 {
		b.need--
		return nil
	}
	begin, err := b.peek(start)
	if err != nil {
		return err
	}
	if belongs(begin, b.name) && !(start == 0 && isContinuation(begin)) {
		b.need--
	}
	return nil
}

// peek gives the beginning of a line, long enough for its head.
func (b *backward) peek(start int64) ([]byte, error) {
	end := min(start+maxHead, b.size)
	var begin []byte
	if end <= b.low+int64(len(b.block)) {
		begin = b.block[start-b.low : end-b.low]
	} else {
		begin = make([]byte, end-start)
		if _, err := b.file.ReadAt(begin, start); err != nil {
			return nil, err
		}
	}
	begin, _, _ = bytes.Cut(begin, []byte{'\n'})
	return begin, nil
}
