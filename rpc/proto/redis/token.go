package redis

import (
	"bytes"
	"errors"
	"fmt"
)

// The kinds of a [Value], each the byte with which it begins on the wire.
const (
	KindSimple    byte = '+'
	KindError     byte = '-'
	KindInteger   byte = ':'
	KindBulk      byte = '$'
	KindArray     byte = '*'
	KindNull      byte = '_'
	KindBool      byte = '#'
	KindDouble    byte = ','
	KindBigNumber byte = '('
	KindBulkError byte = '!'
	KindVerbatim  byte = '='
	KindMap       byte = '%'
	KindSet       byte = '~'
	KindPush      byte = '>'

	kindAttribute byte = '|' // what is said about the value that follows
)

const (
	maxDepth    = 32       // of values inside values
	maxLine     = 64 << 10 // bytes of a text that ends with its line
	maxNumber   = 32       // bytes of a line that is a length
	minValue    = 3        // bytes of the shortest value: "_\r\n"
	noLimit     = 512 << 20
	endOfLine   = "\r\n"
	errTextMost = 1 << 10 // bytes of an error's text
)

// errShort says that the bytes end within a token.
var errShort = errors.New("bytes are missing")

// token is one value without those inside it.
type token struct {
	kind  byte
	text  []byte // of a value with a text
	count int    // values that follow and belong to it; of a map two for each pair
}

// next reads the token at the start of b and how long it is. errShort means that it
// does not end in b; size is then what it needs at least, and never above most.
func next(b []byte, most int) (t token, size int, err error) {
	if len(b) == 0 {
		return t, 1, errShort
	}
	t.kind = b[0]
	longest := maxNumber
	switch t.kind {
	case KindSimple, KindError, KindBigNumber:
		longest = maxLine
	case KindInteger, KindDouble, KindBool, KindNull:
		longest = 2 * maxNumber // of a double as well
	case KindBulk, KindBulkError, KindVerbatim, KindArray, KindMap, KindSet, KindPush, kindAttribute:
	default:
		return t, 0, fmt.Errorf("no value begins with %q", t.kind)
	}
	line, size, err := cutLine(b, min(longest, most))
	if err != nil {
		return t, size, err
	}
	t.text = line[1:]
	switch t.kind {
	case KindBulk, KindBulkError, KindVerbatim:
		return t.withText(b, size, most)
	case KindArray, KindMap, KindSet, KindPush, kindAttribute:
		return t.withCount(size, most)
	default:
		return t, size, t.check()
	}
}

// cutLine gives the line at the start of b without its end, and its size with it.
func cutLine(b []byte, longest int) (line []byte, size int, err error) {
	seen := b[:min(len(b), longest+len(endOfLine))]
	at := bytes.IndexByte(seen, '\r')
	if at >= 0 {
		seen = b[:at]
	}
	switch {
	case bytes.IndexByte(seen, '\n') >= 0:
		return nil, 0, errors.New("a line ends with LF alone")
	case len(seen) > longest: // whether its end has come or not
		return nil, 0, fmt.Errorf("a line has more than %d bytes", longest)
	case at >= 0 && at+1 < len(b) && b[at+1] == '\n':
		return b[:at], at + len(endOfLine), nil
	case at >= 0 && at+1 < len(b):
		return nil, 0, fmt.Errorf("a line ends with CR and %q", b[at+1])
	default:
		return nil, len(b) + 1, errShort
	}
}

// withText adds the text that follows a length.
func (t token) withText(b []byte, header, most int) (token, int, error) {
	n, ok := parseLength(t.text)
	switch {
	case ok && n == -1 && t.kind == KindBulk:
		return token{kind: KindNull}, header, nil
	case !ok || n < 0:
		return t, 0, fmt.Errorf("%q is no length", t.text)
	case n > most-header-len(endOfLine):
		return t, 0, fmt.Errorf("%d bytes, the most is %d", n, most)
	}
	size := header + n + len(endOfLine)
	if size > len(b) {
		return t, size, errShort
	}
	t.text = b[header : header+n]
	if string(b[header+n:size]) != endOfLine {
		return t, 0, fmt.Errorf("no end of line behind %d bytes", n)
	}
	if t.kind == KindVerbatim && (n < 4 || t.text[3] != ':') {
		return t, 0, errors.New("a verbatim text does not say what it is")
	}
	return t, size, nil
}

// withCount reads how many values belong to an aggregate.
func (t token) withCount(header, most int) (token, int, error) {
	n, ok := parseLength(t.text)
	switch {
	case ok && n == -1 && t.kind == KindArray:
		return token{kind: KindNull}, header, nil
	case !ok || n < 0:
		return t, 0, fmt.Errorf("%q is no count", t.text)
	case n > most/minValue:
		return t, 0, fmt.Errorf("%d values do not fit into %d bytes", n, most)
	}
	t.text, t.count = nil, n
	if t.kind == KindMap || t.kind == kindAttribute {
		t.count *= 2
	}
	return t, header, nil
}

// check looks at the texts of what is no text.
func (t token) check() error {
	ok := true
	switch t.kind {
	case KindNull:
		ok = len(t.text) == 0
	case KindBool:
		ok = string(t.text) == "t" || string(t.text) == "f"
	case KindInteger:
		_, err := parseInteger(string(t.text))
		ok = err == nil
	case KindDouble:
		_, err := parseDouble(string(t.text))
		ok = err == nil
	case KindBigNumber:
		ok = isNumber(t.text)
	}
	if !ok {
		return fmt.Errorf("%q is no value of kind %q", t.text, t.kind)
	}
	return nil
}

// parseLength reads a number without sign, or -1.
func parseLength(b []byte) (n int, ok bool) {
	if string(b) == "-1" {
		return -1, true
	}
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func isNumber(b []byte) bool {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
