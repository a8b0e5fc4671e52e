package jsonrpc

import (
	stdjson "encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/dserver/dserver/rpc/internal/gotext"
	"github.com/dserver/dserver/rpc/status"
)

// The codes of errors that JSON-RPC 2.0 itself defines.
const (
	codeParseError     = -32700
	codeInvalidRequest = -32600
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeInternalError  = -32603
)

// standard gives the code and text that a plain peer knows for a status; ok is false
// where it has none, and the status is written as it is.
func standard(code status.Code) (int, bool) {
	switch code {
	case status.NotFound:
		return codeMethodNotFound, true
	case status.BadMessage:
		return codeInvalidParams, true
	case status.InternalServerError:
		return codeInternalError, true
	default:
		return 0, false
	}
}

func standardText(code int) string {
	switch code {
	case codeParseError:
		return "Parse error"
	case codeInvalidRequest:
		return "Invalid Request"
	case codeMethodNotFound:
		return "Method not found"
	case codeInvalidParams:
		return "Invalid params"
	default:
		return "Internal error"
	}
}

// statusCode is the reverse, for what others answer.
func statusCode(code int64) status.Code {
	switch code {
	case codeMethodNotFound:
		return status.NotFound
	case codeParseError, codeInvalidRequest, codeInvalidParams:
		return status.BadMessage
	case codeInternalError:
		return status.InternalServerError
	}
	// An error of code 0 is one all the same.
	if c := status.Code(code); c != status.OK && int64(c) == code {
		return c
	}
	return status.Unknown
}

// appendPlainError writes an error by the letter of JSON-RPC 2.0. What a status has
// besides stands in data. code 0 is the one by the status.
func appendPlainError(dst []byte, s *status.Status, code int) []byte {
	known := code != 0
	if !known {
		code, known = standard(s.Code)
	}
	text := s.Msg
	switch usual := text == "" || text == s.Code.String(); {
	case !known:
		code = int(s.Code)
		if usual {
			text = s.Code.String()
		}
	case usual:
		text = standardText(code)
	}
	dst = strconv.AppendInt(append(dst, `{"code":`...), int64(code), 10)
	dst = gotext.AppendHTML(append(dst, `,"message":`...), text)
	dst = strconv.AppendInt(append(dst, `,"data":{"code":`...), int64(s.Code), 10)
	dst = gotext.AppendHTML(append(dst, `,"cause":`...), s.Cause)
	return append(appendRest(dst, s), "}}"...)
}

// appendError writes an error as older peers read it: data stays null, because what is
// in there would be decoded into the caller's result. What they do not know follows it.
func (p *Proto) appendError(dst []byte, s *status.Status) []byte {
	dst = strconv.AppendInt(append(dst, `{"code":`...), int64(s.Code), 10)
	dst = gotext.AppendHTML(append(dst, `,"message":`...), s.Msg)
	dst = append(dst, `,"data":null`...)
	if !p.classic {
		if s.Cause != "" {
			dst = gotext.AppendHTML(append(dst, `,"cause":`...), s.Cause)
		}
		dst = appendRest(dst, s)
	}
	return append(dst, '}')
}

func appendRest(dst []byte, s *status.Status) []byte {
	if s.Retry {
		dst = append(dst, `,"retry":true`...)
	}
	if stdjson.Valid(s.Details) && utf8.Valid(s.Details) {
		dst = appendOneLine(append(dst, `,"details":`...), s.Details)
	}
	return dst
}

// parseStatus reads an error that is there and not null, whoever wrote it. What it has
// as data is details, unless it is a status.
func (p *Proto) parseStatus(failure []byte) *status.Status {
	var code, data []byte
	s := &status.Status{}
	for name, value := range members(failure) {
		switch string(name) {
		case "code":
			code = value
		case "message":
			s.Msg = string(unquote(value))
		case "data":
			data = value
		default:
			p.readExtra(s, name, value)
		}
	}
	if s.Cause != "" || s.Retry {
		p.stream.Peer.MarkOurs() // nobody else writes these here
	}
	number, err := strconv.ParseInt(string(code), 10, 64)
	if err != nil {
		number = 0
	}
	s.Code = statusCode(number)
	switch {
	case !isObject(failure):
		// Before version 2.0 it could be anything.
		if s.Msg = string(unquote(failure)); s.Msg == "" {
			s.Details = clone(failure)
		}
	case data != nil && !isNull(data) && !p.readData(s, data):
		s.Details = clone(data)
	}
	if s.Msg == "" {
		s.Msg = s.Code.String()
	}
	return s
}

// readData reads the status that a peer of ours has in there; its code wins.
func (p *Proto) readData(s *status.Status, data []byte) bool {
	var inside status.Status
	for name, value := range members(data) {
		if string(name) == "code" {
			code, err := strconv.ParseInt(string(value), 10, 32)
			if err != nil || code == 0 {
				return false
			}
			inside.Code = status.Code(code)
			continue
		}
		p.readExtra(&inside, name, value)
	}
	if inside.Code == status.OK {
		return false
	}
	s.Code, s.Cause, s.Retry, s.Details = inside.Code, inside.Cause, inside.Retry, inside.Details
	return true
}

func (p *Proto) readExtra(s *status.Status, name, value []byte) {
	switch string(name) {
	case "cause":
		s.Cause = string(unquote(value))
	case "retry":
		s.Retry = string(value) == "true"
	case "details":
		s.Details = clone(value)
	}
}

func clone(value []byte) stdjson.RawMessage { return append(stdjson.RawMessage(nil), value...) }
