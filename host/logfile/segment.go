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
	base   int64 // offset of its first byte
	packed bool
}

func openSegment(path string) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, packed: strings.HasSuffix(path, packed)}
	if s.base, err = s.readBase(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, errors.Join(err, f.Close()))
	}
	return s, nil
}

func (s *segment) readBase() (int64, error) {
	r, err := s.from(0)
	if err != nil {
		return 0, err
	}
	first := make([]byte, 2*maxHead)
	n, err := io.ReadFull(r, first)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	line, _, _ := bytes.Cut(first[:n], []byte{'\n'})
	return parseBase(line), nil
}

// parseBase takes the offset out of a continuation line; a file without one is
// the first of its log.
func parseBase(line []byte) int64 {
	if !isContinuation(line) {
		return 0
	}
	_, number, _ := bytes.Cut(line, []byte(continues))
	base, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || base < 0 {
		return 0
	}
	return base
}

func continuationLine(base int64) []byte {
	return AppendLine(nil, time.Now(), Master, StreamLog, continues+strconv.FormatInt(base, 10))
}

// from reads the content from a position on, which is not beyond its end.
func (s *segment) from(pos int64) (io.Reader, error) {
	if !s.packed {
		return io.NewSectionReader(s.file, pos, 1<<62), nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(s.file)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, z, pos); err != nil && err != io.EOF {
		return nil, err
	}
	return z, nil
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
	number  int // of the next file; 0 is the log itself
	highest int
	last    os.FileInfo
	base    int64 // of the last one
}

func newWalk(path string) (*walk, error) {
	numbers, err := rotatedNumbers(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &walk{path: path, highest: -1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find the log: %w", err)
	}
	w := &walk{path: path}
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
		return openSegment(w.path)
	}
	s, err := openSegment(rotated(w.path, w.number))
	if errors.Is(err, fs.ErrNotExist) {
		return openSegment(rotated(w.path, w.number) + packed)
	}
	return s, err
}

// openSince opens the files that hold what comes from an offset on, oldest first.
func openSince(path string, since int64) ([]*segment, error) {
	w, err := newWalk(path)
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
		if s.base <= since {
			return segments, nil
		}
	}
}
