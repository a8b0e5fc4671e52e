package redis

import (
	"bytes"
	"strings"
)

// splitArray gives the arguments of a sound command that is an array.
func splitArray(args [][]byte, frame []byte) [][]byte {
	_, size, _ := length(frame, "")
	for frame = frame[size:]; len(frame) > 0; {
		n, size, _ := length(frame, "")
		args = append(args, frame[size:size+n:size+n])
		frame = frame[size+n+len(endOfLine):]
	}
	return args
}

// splitInline gives the arguments of a command that is a line: words, of which any may
// be quoted as "a\x00\r\n\"" or as 'a\” if the quote ends with the word. The arguments
// lie in memory of their own.
func splitInline(args [][]byte, line []byte) ([][]byte, error) {
	memory := make([]byte, 0, len(line))
	for {
		line = bytes.TrimLeft(line, spaces)
		if len(line) == 0 {
			return args, nil
		}
		start := len(memory)
		var ok bool
		if memory, line, ok = cutWord(memory, line); !ok {
			return nil, protocolError("unbalanced quotes in request")
		}
		args = append(args, memory[start:len(memory):len(memory)])
	}
}

const spaces = " \t\n\v\f\r\x00"

func isSpace(c byte) bool { return strings.IndexByte(spaces, c) >= 0 }

// cutWord appends what the word at the start of line means.
func cutWord(dst, line []byte) (word, rest []byte, ok bool) {
	for len(line) > 0 && !isSpace(line[0]) {
		switch line[0] {
		case '"', '\'':
			if dst, line, ok = cutQuoted(dst, line[1:], line[0]); !ok {
				return nil, nil, false
			}
			return dst, line, len(line) == 0 || isSpace(line[0])
		}
		dst, line = append(dst, line[0]), line[1:]
	}
	return dst, line, true
}

// cutQuoted appends what comes before the closing quote.
func cutQuoted(dst, line []byte, quote byte) (text, rest []byte, ok bool) {
	for len(line) > 0 && line[0] != quote {
		c, size := line[0], 1
		if c == '\\' && len(line) > 1 {
			c, size = unescape(line, quote)
		}
		dst, line = append(dst, c), line[size:]
	}
	if len(line) == 0 {
		return nil, nil, false
	}
	return dst, line[1:], true
}

// unescape gives what the backslash at the start of line and what follows mean. In
// single quotes it means itself but before such a quote.
func unescape(line []byte, quote byte) (c byte, size int) {
	switch c = line[1]; {
	case quote == '\'' && c == '\'':
		return c, 2
	case quote == '\'':
		return '\\', 1
	}
	switch c {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'a':
		return '\a', 2
	case 'x':
		if len(line) >= 4 {
			high, low := hexDigit(line[2]), hexDigit(line[3])
			if high >= 0 && low >= 0 {
				return byte(high<<4 | low), 4
			}
		}
	}
	return c, 2
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
