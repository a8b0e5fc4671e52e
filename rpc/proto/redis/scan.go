package redis

import (
	"bytes"
	"fmt"
)

// scanner finds the end of a command or of a reply that comes in pieces. It goes on
// where it stopped, so that many small pieces cost no more than their bytes: until a
// frame is complete, each buffer must begin with the one before.
type scanner struct {
	pos  int  // what lies before is sound
	need int  // arguments or values that must follow
	line bool // it is a command in a line
}

const (
	maxInline  = 64 << 10 // bytes of a command in a line
	maxArgs    = 1 << 20  // of a command, with its name
	minArg     = 6        // bytes of the shortest argument: "$0\r\n\r\n"
	minCommand = 4        // bytes of the shortest array: "*0\r\n"
)

// protocolError is what redis says of bytes that are no command.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// command gives the size of the command at the start of buf. If it is not complete, done
// is false and size what it needs at least. most bounds it all.
func (s *scanner) command(buf []byte, most int) (size int, done bool, err error) {
	switch {
	case len(buf) == 0:
		return 1, false, nil
	case s.line, s.pos == 0 && buf[0] != '*':
		return s.inline(buf, most)
	case s.pos == 0:
		n, size, err := length(buf, "mbulk count string")
		if err != nil || size > len(buf) {
			return size, false, err
		}
		if n == badLength || n > maxArgs || n > max(most-size, 0)/minArg {
			return 0, false, protocolError("invalid multibulk length")
		}
		s.pos, s.need = size, max(n, 0)
	}
	for ; s.need > 0; s.need-- {
		size, err := s.argument(buf, most)
		if err != nil || size > len(buf) {
			return size, false, err
		}
		s.pos = size
	}
	return s.pos, true, nil
}

// argument gives where the bulk string at pos ends, or what must be there to tell.
func (s *scanner) argument(buf []byte, most int) (int, error) {
	rest := buf[s.pos:]
	if len(rest) > 0 && rest[0] != '$' {
		return 0, protocolError(fmt.Sprintf("expected '$', got '%s'", cut(string(rest[0]), 1)))
	}
	n, size, err := length(rest, "bulk count string")
	if err != nil || size > len(rest) {
		return s.pos + size, err
	}
	// What the other arguments need at least counts as well.
	left := most - s.pos - size - len(endOfLine) - (s.need-1)*minArg
	if n < 0 || n > left {
		return 0, protocolError("invalid bulk length")
	}
	end := s.pos + size + n + len(endOfLine)
	if end <= len(buf) && string(buf[end-len(endOfLine):end]) != endOfLine {
		return 0, protocolError("no end of line behind a bulk string")
	}
	return end, nil
}

// badLength is none of those that redis takes.
const badLength = -2

// length reads the number in the line at the start of b. A size above len(b) is what it
// needs at least; a line that ends with CR alone is waited for, and then refused.
func length(b []byte, name string) (n, size int, err error) {
	line, size, err := cutLine(b, maxNumber)
	switch {
	case err == errShort:
		return 0, max(size, minCommand), nil
	case err != nil:
		return 0, 0, protocolError("invalid " + name)
	}
	n, ok := parseLength(line[1:])
	if !ok {
		n = badLength
		if len(line) > 1 && line[1] == '-' {
			n = -1
			for _, c := range line[2:] {
				if c < '0' || c > '9' {
					n = badLength
				}
			}
		}
	}
	return n, size, nil
}

// inline gives the size of a command that is a line.
func (s *scanner) inline(buf []byte, most int) (int, bool, error) {
	if s.pos > 0 && buf[s.pos-1] == '\n' {
		return s.pos, true, nil
	}
	s.line = true
	most = min(most, maxInline)
	at := bytes.IndexByte(buf[s.pos:], '\n')
	if at < 0 {
		s.pos = len(buf)
	} else {
		s.pos += at + 1
	}
	switch {
	case s.pos > most:
		return 0, false, protocolError("too big inline request")
	case at < 0:
		return s.pos + 1, false, nil
	}
	return s.pos, true, nil
}

// value gives the size of the reply at the start of buf, as command does.
func (s *scanner) value(buf []byte, most int) (size int, done bool, err error) {
	if s.pos == 0 {
		s.need = 1
	}
	for s.need > 0 {
		if s.need > max(most-s.pos, 0)/minValue {
			return 0, false, fmt.Errorf("it has more than %d bytes", most)
		}
		t, size, err := next(buf[s.pos:], most-s.pos)
		switch {
		case err == errShort:
			return s.pos + size, false, nil
		case err != nil:
			return 0, false, err
		}
		s.pos += size
		s.need += t.count
		if t.kind != kindAttribute {
			s.need--
		}
	}
	return s.pos, true, nil
}
