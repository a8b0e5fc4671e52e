package jsonrpc

import (
	"bytes"
	stdjson "encoding/json"
	"iter"
)

// These walk over text that is known to be JSON. Nothing is copied and nothing is kept
// of members that nobody asks for, so that a line costs no more than its bytes.

// cutValue gives the first value of text, and what follows it.
func cutValue(text []byte) (value, rest []byte) {
	text = skipSpace(text)
	end := valueSize(text)
	return text[:end], text[end:]
}

func skipSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

func valueSize(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"':
		return stringSize(text)
	case '{', '[':
		return groupSize(text)
	}
	if end := bytes.IndexAny(text, ",]} \t\r\n"); end >= 0 {
		return end
	}
	return len(text)
}

func stringSize(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func groupSize(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringSize(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// members walks the names and values of an object; it stops at anything else.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for rest := inside(object, '{'); len(rest) > 0 && rest[0] == '"'; {
			var name, value []byte
			name, rest = cutValue(rest)
			value, rest = cutValue(after(rest, ':'))
			if !yield(unquote(name), value) {
				return
			}
			rest = after(rest, ',')
		}
	}
}

// elements walks the values of an array, each with the place where it ends.
func elements(array []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for rest := inside(array, '['); len(rest) > 0 && rest[0] != ']'; {
			var value []byte
			value, rest = cutValue(rest)
			if !yield(len(array)-len(rest), value) {
				return
			}
			rest = after(rest, ',')
		}
	}
}

// inside is what follows the bracket at the start, if it is the one.
func inside(text []byte, bracket byte) []byte {
	if text = skipSpace(text); len(text) == 0 || text[0] != bracket {
		return nil
	}
	return skipSpace(text[1:])
}

// after is what follows a separator, if there is one.
func after(text []byte, separator byte) []byte {
	if text = skipSpace(text); len(text) > 0 && text[0] == separator {
		return skipSpace(text[1:])
	}
	return text
}

// unquote gives what a string says, in place if it can; other values say nothing.
func unquote(value []byte) []byte {
	if !isString(value) {
		return nil
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	_ = stdjson.Unmarshal(value, &s) // it is a string
	return []byte(s)
}

func isString(value []byte) bool { return len(value) >= 2 && value[0] == '"' }

func isObject(value []byte) bool { return len(value) >= 2 && value[0] == '{' }

func isNull(value []byte) bool { return string(value) == "null" }
