package rpc

import (
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
			b, err = nil, fmt.Errorf("codec %s panicked: %v", c.Name(), v)
		}
	}()
	return c.Marshal(body)
}

// decode fills target, a pointer or nil, from the bytes of a body. No bytes
// leave it as it is. The bytes are target's own from then on.
func (e *Endpoint) decode(id byte, body []byte, target any) (err error) {
	if len(body) == 0 || target == nil {
		return nil
	}
	if v, ok := target.(*[]byte); ok {
		*v = body
		return nil
	}
	c, ok := e.codec(id)
	if !ok {
		return fmt.Errorf("codec %d is not registered", id)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("codec %s panicked: %v", c.Name(), v)
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
