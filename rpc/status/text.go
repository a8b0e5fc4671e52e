package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/dserver/dserver/rpc/internal/gotext"
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
	dst = gotext.AppendQuoted(dst, s.Msg)
	dst = append(dst, `,"cause":`...)
	dst = gotext.AppendQuoted(dst, s.Cause)
	if s.Retry {
		dst = append(dst, `,"retry":true`...)
	}
	if json.Valid(s.Details) {
		dst = append(dst, `,"details":`...)
		dst = append(dst, s.Details...)
	}
	return append(dst, '}')
}

// ParseText reads a status text; OK, an empty text and null give nil.
// The result shares no memory with text.
func ParseText(text []byte) (*Status, error) {
	if len(text) == 0 || string(text) == okText {
		return nil, nil
	}
	s, err := parseJSON(text)
	if err != nil && gotext.HasEscape(text) {
		s, err = parseJSON(gotext.JSON(text))
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
