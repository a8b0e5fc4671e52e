package jsonrpc

import (
	"fmt"
	"strings"
)

// object is a message: its members as JSON, nil where there is none.
type object struct {
	version, method, params, id, result, failure, context []byte
}

// parseObject takes the last of a member that is there twice, as most readers do.
// Names are case-sensitive, and unknown ones are skipped.
func parseObject(text []byte) (o object) {
	for name, value := range members(text) {
		switch string(name) {
		case "jsonrpc":
			o.version = value
		case "method":
			o.method = value
		case "params":
			o.params = value
		case "id":
			o.id = value
		case "result":
			o.result = value
		case "error":
			o.failure = value
		case "context":
			o.context = value
		}
	}
	return o
}

// kind says what is done with an object.
type kind int

const (
	invalid      kind = iota // answered with an error
	request                  // answered
	notification             // a PUSH
	reply
)

// entry is one message of a line.
type entry struct {
	object
	kind  kind
	wrong string // with what is invalid
	code  int    // and how a plain peer is told
	plain bool   // to be answered by the letter of JSON-RPC 2.0
	size  int    // bytes of its line that it takes along
	place int    // among the answers of its batch
	batch *batch // nil if it is in none, or needs no answer
}

func (e *entry) needsAnswer() bool { return e.kind == invalid || e.kind == request }

// newEntry finds out what a JSON value is.
func (p *Proto) newEntry(text []byte) entry {
	e := entry{object: parseObject(text)}
	e.plain = e.context == nil && !p.classic
	e.kind = p.kindOf(&e.object)
	if e.kind == reply {
		return e
	}
	if !isObject(text) {
		e.wrong = "it is no object"
	} else {
		e.wrong = p.defect(&e)
	}
	if e.wrong != "" {
		e.kind, e.code = invalid, codeInvalidRequest
	}
	if string(e.method) == `""` {
		e.code = codeMethodNotFound // it is text, and no route has that name
	}
	if !soundID(e.id) {
		e.id = nil // that of the answer
	}
	return e
}

// kindOf tells a reply from the rest, and that by whether it wants an answer. What has
// neither method nor result nor error can be a reply without a result, but only if
// there is somebody who waits for one.
func (p *Proto) kindOf(o *object) kind {
	switch {
	case o.method == nil && (o.result != nil || o.failure != nil || o.id != nil && p.called.Load()):
		return reply
	case o.id == nil:
		return notification
	default:
		return request
	}
}

// defect says why a request or notification cannot be handed on; "" is no defect.
func (p *Proto) defect(e *entry) string {
	switch {
	case e.plain && string(e.version) != version:
		return `jsonrpc is not "2.0"`
	case !isString(e.method):
		return "method is no string"
	case e.id != nil && len(e.id) > maxID:
		return fmt.Sprintf("id has %d bytes, the most is %d", len(e.id), maxID)
	case e.id != nil && !soundID(e.id):
		return "id is no string, no number and not null"
	case e.context != nil && !isNull(e.context) && !isObject(e.context):
		return "context is no object"
	default:
		if err := p.stream.Limits.CheckMetadata(len(e.context)); err != nil {
			return err.Error()
		}
		return ""
	}
}

// soundID tells whether an id can be echoed: a string, a number or null of bounded size.
func soundID(id []byte) bool {
	return len(id) > 0 && len(id) <= maxID && (isNull(id) || strings.IndexByte(`"-0123456789`, id[0]) >= 0)
}
