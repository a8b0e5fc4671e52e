package logfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const packed = ".gz"

// rotated is the path of the rotated file with number n, not packed.
func rotated(path string, n int) string { return path + "." + strconv.Itoa(n) }

// rotatedNumbers finds the numbers of the rotated files that there are, each once
// or, while it is being packed, twice.
func rotatedNumbers(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		suffix, ok := strings.CutPrefix(entry.Name(), filepath.Base(path)+".")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(suffix, packed)); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// segment is one file of the log, opened for reading.
type segment struct {
	file   *os.File
	form   form
	base   int64 // offset of its first byte
	packed bool
}

func openSegment(path string, form form) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, form: form, packed: strings.HasSuffix(path, packed)}
	if s.base, err = s.readBase(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, errors.Join(err, f.Close()))
	}
	return s, nil
}

func (s *segment) readBase() (int64, error) {
	if s.form == (rawForm{}) {
		return s.rawBase()
	}
	line, err := s.firstLine()
	if err != nil {
		return 0, err
	}
	return parseBase(s.form, line), nil
}

// firstLine gives as much of the first line as a continuation line can have.
func (s *segment) firstLine() ([]byte, error) {
	r, err := s.from(0)
	if err != nil {
		return nil, err
	}
	first := make([]byte, 2*maxHead)
	n, err := io.ReadFull(r, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	line, _, _ := bytes.Cut(first[:n], []byte{'\n'})
	return line, nil
}

// rawBase is the offset of a file that says nothing of itself: the moment of its
// birth, in nanoseconds. So offsets rise from file to file, as long as less than a
// byte a nanosecond is written. Where births are not known it is 0, and only the
// newest file is read.
func rawBase(f *os.File) int64 {
	born, ok := birth(f)
	if !ok {
		return 0
	}
	return born.UnixNano()
}

// rawBase is the offset of a raw file; a packed one has it in its head.
func (s *segment) rawBase() (int64, error) {
	if !s.packed {
		return rawBase(s.file), nil
	}
	z, err := s.unpack()
	if err != nil {
		return 0, err
	}
	base, err := strconv.ParseInt(z.Comment, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("it does not say at which offset it begins: %w", err)
	}
	return base, nil
}

// parseBase takes the offset out of a continuation line; a file without one is
// the first of its log.
func parseBase(f form, line []byte) int64 {
	if !isContinuation(f, line) {
		return 0
	}
	l, ok := f.parse(line)
	if !ok {
		return 0
	}
	base, err := strconv.ParseInt(strings.TrimPrefix(l.Text, continues), 10, 64)
	if err != nil || base < 0 {
		return 0
	}
	return base
}

// continuationLine begins a file; in the raw form there is none.
func continuationLine(f form, base int64) []byte {
	if f == (rawForm{}) {
		return nil
	}
	head := f.head(nil, time.Now(), Source{Name: Master, Stream: StreamLog})
	return f.line(nil, head, strconv.AppendInt([]byte(continues), base, 10), endsLine)
}

// from reads the content from a position on, which is not beyond its end.
func (s *segment) from(pos int64) (io.Reader, error) {
	if !s.packed {
		return io.NewSectionReader(s.file, pos, 1<<62), nil
	}
	z, err := s.unpack()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, z, pos); err != nil && err != io.EOF {
		return nil, err
	}
	return z, nil
}

func (s *segment) unpack() (*gzip.Reader, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return gzip.NewReader(s.file)
}

// size is that of the content now.
func (s *segment) size() (int64, error) {
	if s.packed {
		r, err := s.from(0)
		if err != nil {
			return 0, err
		}
		return io.Copy(io.Discard, r)
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// isAt tells whether path leads to this file.
func (s *segment) isAt(path string) bool { return isAt(s.file, path) }

func isAt(f *os.File, path string) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(ours, there)
}

func (s *segment) close() error { return s.file.Close() }

func closeSegments(segments []*segment) error {
	var errs []error
	for _, s := range segments {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// walk opens the files of a log from the newest to the oldest. A rotation
// meanwhile gives files higher numbers only, so none of them is passed by; the one
// that is met twice is skipped, and so is a newer one that was made meanwhile.
type walk struct {
	path    string
	form    form
	number  int // of the next file; 0 is the log itself
	highest int
	last    os.FileInfo
	base    int64 // of the last one
}

func newWalk(path string, form form) (*walk, error) {
	numbers, err := rotatedNumbers(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &walk{path: path, form: form, highest: -1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find the log: %w", err)
	}
	w := &walk{path: path, form: form}
	for _, n := range numbers {
		w.highest = max(w.highest, n)
	}
	// The oldest may be moved up once while we are on our way to it.
	w.highest++
	return w, nil
}

// next gives nil after the oldest. The caller closes what it gets.
func (w *walk) next() (*segment, error) {
	for w.number <= w.highest {
		s, err := w.open()
		w.number++
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := s.file.Stat()
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		if w.last != nil && os.SameFile(w.last, info) || w.base > 0 && s.base >= w.base {
			if err := s.close(); err != nil {
				return nil, err
			}
			continue
		}
		w.last, w.base = info, s.base
		return s, nil
	}
	return nil, nil
}

func (w *walk) open() (*segment, error) {
	if w.number == 0 {
		return openSegment(w.path, w.form)
	}
	s, err := openSegment(rotated(w.path, w.number), w.form)
	if errors.Is(err, fs.ErrNotExist) {
		return openSegment(rotated(w.path, w.number)+packed, w.form)
	}
	return s, err
}

// openSince opens the files that hold what comes from an offset on, oldest first.
func openSince(path string, form form, since int64) ([]*segment, error) {
	return openBack(path, form, func(s *segment) bool { return s.base <= since })
}

// openBack opens the files of a log from the newest back to the first that is old
// enough, and gives them with the oldest first.
func openBack(path string, form form, enough func(*segment) bool) ([]*segment, error) {
	w, err := newWalk(path, form)
	if err != nil {
		return nil, err
	}
	var segments []*segment
	for {
		s, err := w.next()
		if err != nil {
			return nil, errors.Join(err, closeSegments(segments))
		}
		if s == nil {
			return segments, nil
		}
		segments = append([]*segment{s}, segments...)
		if enough(s) {
			return segments, nil
		}
	}
}
