package rpc

import (
	"bytes"
	"fmt"

	"github.com/dserver/dserver/rpc/codec"
)

// encode makes the bytes of a body. nil is no bytes; []byte and *[]byte are
// passed as they are, whatever the codec.
func (e *Endpoint) encode(id byte, body any) (b []byte, err error) {
	switch v := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case *[]byte:
		if v == nil {
			return nil, nil
		}
		return *v, nil
	}
	c, ok := e.codec(id)
	if !ok {
		return nil, fmt.Errorf("codec %d is not registered", id)
	}
	// Users' marshalling methods run in here.
	defer func() {
		if v := recover(); v != nil {
			b, err = nil, panickedCodec(c, v)
		}
	}()
	return c.Marshal(body)
}

// encodeAgain is encode into memory that is used again, if the codec can do so; memory is
// nil if it cannot.
func (e *Endpoint) encodeAgain(id byte, body any) (b []byte, memory *buffer, err error) {
	c, _ := e.codec(id)
	a, ok := c.(codec.Appender)
	if !ok || isBytes(body) {
		b, err = e.encode(id, body)
		return b, nil, err
	}
	defer func() {
		if v := recover(); v != nil {
			b, memory, err = nil, nil, panickedCodec(c, v)
		}
	}()
	memory = e.bufs.get(a.Size(body))
	if memory.b, err = a.AppendMarshal(memory.b, body); err != nil {
		e.bufs.put(memory)
		return nil, nil, err
	}
	return memory.b, memory, nil
}

func isBytes(body any) bool {
	switch body.(type) {
	case nil, []byte, *[]byte:
		return true
	}
	return false
}

func panickedCodec(c codec.Codec, v any) error {
	return fmt.Errorf("codec %s panicked: %v", c.Name(), v)
}

// decode fills target, a pointer or nil, from the bytes of a body. No bytes leave it as
// it is. It keeps none of them.
func (e *Endpoint) decode(id byte, body []byte, target any) (err error) {
	if len(body) == 0 || target == nil {
		return nil
	}
	if v, ok := target.(*[]byte); ok {
		*v = bytes.Clone(body)
		return nil
	}
	c, ok := e.codec(id)
	if !ok {
		return fmt.Errorf("codec %d is not registered", id)
	}
	defer func() {
		if v := recover(); v != nil {
			err = panickedCodec(c, v)
		}
	}()
	return c.Unmarshal(body, target)
}

// codec finds one that is registered. JSON always works: there are protocols that can
// carry nothing else.
func (e *Endpoint) codec(id byte) (codec.Codec, bool) {
	if c, ok := e.codecs.Lookup(id); ok || id != codec.IDJSON {
		return c, ok
	}
	return codec.JSON{}, true
}
