package redis

import (
	"errors"
	"fmt"
)

// appendReply appends the one value that body is, for a peer who speaks that version of
// RESP; no bytes are null. What is no value, or a push, is an error: it would give the
// peer's next commands answers that are not theirs.
func appendReply(dst, body []byte, version int32) ([]byte, error) {
	if len(body) == 0 {
		return appendNull(dst, version), nil
	}
	out, rest, err := rewrite(dst, body, version, maxDepth)
	switch {
	case err != nil:
	case len(rest) > 0:
		err = fmt.Errorf("%d bytes follow", len(rest))
	}
	if err != nil {
		return dst, fmt.Errorf("the body of %d bytes is %w: %w", len(body), ErrValue, err)
	}
	return out, nil
}

func appendNull(dst []byte, version int32) []byte {
	if version < 3 {
		return append(dst, "$-1\r\n"...)
	}
	return append(dst, "_\r\n"...)
}

// rewrite appends the value at the start of b, which may be of either version.
func rewrite(dst, b []byte, version int32, depth int) (out, rest []byte, err error) {
	if depth == 0 {
		return nil, nil, fmt.Errorf("values are nested more than %d times", maxDepth)
	}
	t, size, err := next(b, len(b))
	if err != nil {
		return nil, nil, err
	}
	if t.kind == KindPush {
		return nil, nil, errors.New("it is a push")
	}
	start := len(dst)
	dst, rest = t.appendAs(dst, b[:size], version), b[size:]
	for range t.count {
		if dst, rest, err = rewrite(dst, rest, version, depth-1); err != nil {
			return nil, nil, err
		}
	}
	if t.kind != kindAttribute {
		return dst, rest, nil
	}
	if version < 3 {
		dst = dst[:start] // there is nothing like it
	}
	return rewrite(dst, rest, version, depth-1)
}

// appendAs appends a token, raw as it was read, in the form of that version.
func (t token) appendAs(dst, raw []byte, version int32) []byte {
	switch {
	case t.kind == KindNull && (version >= 3 || raw[0] == KindNull):
		return appendNull(dst, version)
	case version >= 3:
		return append(dst, raw...)
	}
	switch t.kind {
	case KindBool:
		if t.text[0] == 't' {
			return append(dst, ":1\r\n"...)
		}
		return append(dst, ":0\r\n"...)
	case KindDouble, KindBigNumber:
		return appendBulk(dst, KindBulk, t.text)
	case KindVerbatim:
		return appendBulk(dst, KindBulk, t.text[4:])
	case KindBulkError:
		return appendLine(dst, KindError, t.text)
	case KindMap, KindSet:
		return appendInteger(dst, KindArray, int64(t.count))
	default:
		return append(dst, raw...)
	}
}
