package http

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// lines reads the lines of a head or of what follows a chunked body.
type lines struct {
	in   *bufio.Reader
	most int // bytes of all lines together; 0 is no bound
	size int // bytes read so far
}

var errLongHead = errors.New("the head is too long")

// next gives a line without its end, which must be CR LF: who takes anything less for
// an end sees other messages than those who do not. io.EOF comes before the first byte
// only.
func (l *lines) next() (string, error) {
	part, err := l.slice()
	if err == nil {
		return cutEnd(string(part))
	}
	var parts [][]byte
	for errors.Is(err, bufio.ErrBufferFull) {
		parts = append(parts, bytes.Clone(part))
		part, err = l.slice()
	}
	if err != nil {
		return "", err
	}
	// The line is copied together once only: it may be all that there is of a message.
	var line strings.Builder
	size := len(part)
	for _, p := range parts {
		size += len(p)
	}
	line.Grow(size)
	for _, p := range append(parts, part) {
		line.Write(p)
	}
	return cutEnd(line.String())
}

func (l *lines) slice() ([]byte, error) {
	part, err := l.in.ReadSlice('\n')
	l.size += len(part)
	switch {
	case errors.Is(err, io.EOF) && l.size > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil && !errors.Is(err, bufio.ErrBufferFull):
		return nil, err
	case l.most > 0 && l.size > l.most:
		return nil, errLongHead
	}
	return part, err
}

func cutEnd(line string) (string, error) {
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return line, bad("a line ends without CR LF")
	}
	return text, nil
}
