package redis

import (
	"fmt"
	"strings"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// Errorf is the error of a handler, or of a part of a reply, by the text that clients
// expect, such as "value is not an integer or out of range". It begins with ERR, unless
// the text has a word of upper-case letters there, such as WRONGTYPE or DB.
func Errorf(format string, args ...any) *status.Status {
	return failure(errorText(&status.Status{Code: status.Unknown, Cause: fmt.Sprintf(format, args...)}))
}

// WrongArguments is what clients expect if a command has too many arguments or too few.
func WrongArguments(ctx rpc.Context) *status.Status {
	method := ctx.Method()
	return Errorf("wrong number of arguments for '%s' command", method[strings.LastIndexByte(method, '/')+1:])
}

// failure is the status of the text that stands behind the minus.
func failure(text string) *status.Status { return status.New(status.Unknown, text) }

// errorText is what stands behind the minus.
//
//   - A cause that begins with a word of upper-case letters is all of it.
//   - Else a word comes first, ERR or NOAUTH; then the message, if it is that of a code
//     below 1000, which says more than the cause alone; then the cause.
func errorText(s *status.Status) string {
	text := s.Cause
	if !hasWord(text) {
		msg := s.Msg
		if msg == "" {
			msg = s.Code.String()
		}
		switch {
		case text == "" || text == msg:
			text = msg
		case s.Code > 0 && s.Code < 1000:
			text = msg + ": " + text
		}
		if s.Code == status.Unauthorized {
			text = "NOAUTH " + text
		} else {
			text = "ERR " + text
		}
	}
	return cut(text, errTextMost)
}

// hasWord tells whether text begins with a word of at least two upper-case letters.
func hasWord(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	for i := range len(word) {
		c := word[i]
		if upper := c >= 'A' && c <= 'Z'; !upper && (i < 2 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return len(word) >= 2
}

// cut gives at most n bytes of text, and no part of a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
