package gotext

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// AppendQuoted quotes as older writers do wherever the result is JSON, so that
// the bytes are the same, and as JSON demands elsewhere.
func AppendQuoted(dst []byte, text string) []byte {
	start := len(dst)
	dst = strconv.AppendQuote(dst, text)
	if !HasEscape(dst[start:]) {
		return dst
	}
	return AppendJSON(dst[:start], text)
}

// AppendJSON appends text as a JSON string without HTML escaping. Bytes
// that are not UTF-8 become U+FFFD.
func AppendJSON(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// AppendHTML appends text as encoding/json does by default: a JSON string with HTML
// escaping. Bytes that are not UTF-8 become U+FFFD.
func AppendHTML(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string always has an encoding
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// HasEscape tells whether text holds an escape that Go knows and JSON does not.
func HasEscape(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		switch text[i] {
		case 'a', 'v', 'x', 'U':
			return true
		}
	}
	return false
}

// JSON rewrites Go's own escapes to JSON; all else stays.
func JSON(text []byte) []byte {
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'a':
			out = append(out, `\u0007`...)
		case 'v':
			out = append(out, `\u000b`...)
		case 'x':
			out, i = appendHexEscape(out, text, i, 2)
		case 'U':
			out, i = appendHexEscape(out, text, i, 8)
		default:
			out = append(out, '\\', text[i])
		}
	}
	return out
}

// appendHexEscape rewrites the escape whose letter is text[i] and returns the
// index of its last digit. A malformed one is copied, for JSON to refuse.
func appendHexEscape(out, text []byte, i, digits int) ([]byte, int) {
	if i+digits >= len(text) {
		return append(out, '\\', text[i]), i
	}
	v, err := strconv.ParseUint(string(text[i+1:i+1+digits]), 16, 32)
	if err != nil {
		return append(out, '\\', text[i]), i
	}
	r := rune(utf8.RuneError)
	// A \x escape above 0x7f is a byte that was no UTF-8 in the first place.
	if digits == 8 || v < utf8.RuneSelf {
		r = rune(v)
	}
	quoted := AppendJSON(nil, string(r))
	return append(out, quoted[1:len(quoted)-1]...), i + digits
}
