package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The status text that every protocol carries is one JSON object:
//
//	{"code":404,"msg":"Not Found","cause":"no route /a"}
//
// followed, only when set, by "retry":true and "details":ANY. Older readers
// ignore members they do not know. Older writers quote the texts by the rules of
// Go, which is not always JSON; ParseText reads that too.
const okText = `{"code":0,"msg":"","cause":""}`

// AppendText appends the status text of s; nil is OK.
func AppendText(dst []byte, s *Status) []byte {
	if s == nil {
		return append(dst, okText...)
	}
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(s.Code), 10)
	dst = append(dst, `,"msg":`...)
	dst = appendQuoted(dst, s.Msg)
	dst = append(dst, `,"cause":`...)
	dst = appendQuoted(dst, s.Cause)
	if s.Retry {
		dst = append(dst, `,"retry":true`...)
	}
	if json.Valid(s.Details) {
		dst = append(dst, `,"details":`...)
		dst = append(dst, s.Details...)
	}
	return append(dst, '}')
}

// appendQuoted quotes as older writers do wherever the result is JSON, so that
// the bytes are the same, and as JSON demands elsewhere.
func appendQuoted(dst []byte, text string) []byte {
	start := len(dst)
	dst = strconv.AppendQuote(dst, text)
	if !hasGoEscape(dst[start:]) {
		return dst
	}
	return appendJSON(dst[:start], text)
}

// appendJSON appends text as a JSON string without HTML escaping. Bytes
// that are not UTF-8 become U+FFFD.
func appendJSON(dst []byte, text string) []byte {
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

// ParseText reads a status text; OK, an empty text and null give nil.
// The result shares no memory with text.
func ParseText(text []byte) (*Status, error) {
	if len(text) == 0 || string(text) == okText {
		return nil, nil
	}
	s, err := parseJSON(text)
	if err != nil && hasGoEscape(text) {
		s, err = parseJSON(jsonFromGo(text))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read status: %w", err)
	}
	return s, nil
}

func parseJSON(text []byte) (*Status, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 || (text[0] != '{' && string(text) != "null") {
		return nil, errors.New("not a JSON object")
	}
	var wire struct {
		Code    Code            `json:"code"`
		Msg     string          `json:"msg"`
		Cause   string          `json:"cause"`
		Retry   bool            `json:"retry"`
		Details json.RawMessage `json:"details"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, err
	}
	if wire.Code == OK {
		return nil, nil
	}
	return &Status{Code: wire.Code, Msg: wire.Msg, Cause: wire.Cause, Retry: wire.Retry, Details: wire.Details}, nil
}

// hasGoEscape tells whether text holds an escape that Go knows and JSON does not.
func hasGoEscape(text []byte) bool {
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

// jsonFromGo rewrites Go's own escapes to JSON; all else stays.
func jsonFromGo(text []byte) []byte {
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
	quoted := appendJSON(nil, string(r))
	return append(out, quoted[1:len(quoted)-1]...), i + digits
}
