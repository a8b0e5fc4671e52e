package main

import (
	"bufio"
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

// tally is what became of the lines of all writers.
type tally struct {
	lost   int // lines with a newline that are nowhere
	double int // lines that are there more than once
	cut    int // pieces of lines
	ends   int // writers whose last line, which has no newline, is there
}

// checker reads logs and ticks off the lines.
type checker struct {
	lines int
	seen  [][]bool // by writer
	tally tally
	want  []byte
}

func newChecker(writers, lines int) *checker {
	c := &checker{lines: lines, seen: make([][]bool, writers)}
	for i := range c.seen {
		c.seen[i] = make([]bool, lines)
	}
	return c
}

// check reads every file below a folder; files that end in .gz are compressed.
func (c *checker) check(dir string) (tally, error) {
	err := eachFile(dir, func(path string, _ fs.FileInfo) error { return c.file(path) })
	if err != nil {
		return tally{}, err
	}
	for _, seen := range c.seen {
		for _, yes := range seen[:c.lines-1] {
			if !yes {
				c.tally.lost++
			}
		}
		if seen[c.lines-1] {
			c.tally.ends++
		}
	}
	return c.tally, nil
}

func (c *checker) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := io.Reader(f)
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			c.line(bytes.TrimSuffix(line, []byte{'\n'}))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
}

// line looks at one line of a log. What stands before the writer's own text is the
// supervisor's.
func (c *checker) line(line []byte) {
	i := bytes.IndexByte(line, lineBegin)
	if i < 0 || i == len(line)-1 || line[i+1] < '0' || line[i+1] > '9' {
		if bytes.HasSuffix(line, []byte(lineTail)) {
			c.tally.cut++
		}
		return // the supervisor's own
	}
	text := line[i:]
	writer, number, ok := c.numbers(text)
	if c.want = appendLine(c.want[:0], writer, number); !ok || !bytes.Equal(c.want, text) {
		c.tally.cut++
		return
	}
	if c.seen[writer][number] {
		c.tally.double++
	}
	c.seen[writer][number] = true
}

// numbers reads those that a line begins with.
func (c *checker) numbers(text []byte) (writer, line int, ok bool) {
	const second = len("<000 ")
	if len(text) != lineSize-1 {
		return 0, 0, false
	}
	writer, err1 := strconv.Atoi(string(text[1 : second-1]))
	line, err2 := strconv.Atoi(string(text[second : second+8]))
	return writer, line, err1 == nil && err2 == nil && writer >= 0 && writer < len(c.seen) && line >= 0 && line < c.lines
}

func eachFile(dir string, look func(path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return look(path, info)
	})
}

// grown is the size of all files below a folder, and when they last changed.
func grown(dir string) (size int64, last time.Time, err error) {
	err = eachFile(dir, func(_ string, info fs.FileInfo) error {
		size += info.Size()
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // renamed under our eyes, by a rotation
	}
	return size, last, err
}
