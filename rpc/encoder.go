package rpc

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

// encoder turns messages into frames, for whatever kind of Proto.
type encoder struct {
	framer proto.Framer // nil: the Proto packs into memory, one message at a time

	mu     sync.Mutex
	proto  proto.Proto
	memory *bytes.Buffer
}

// append appends the frame of m to dst. Users' protocols run in here.
func (e *encoder) append(dst []byte, m *message.Message) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = dst, fmt.Errorf("protocol panicked: %v", v)
		}
	}()
	if e.framer != nil {
		return e.framer.AppendFrame(dst, m)
	}
	return e.pack(dst, m)
}

func (e *encoder) pack(dst []byte, m *message.Message) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		if e.memory.Cap() > maxPooledBuffer {
			*e.memory = bytes.Buffer{}
		}
	}()
	e.memory.Reset()
	if err := e.proto.Pack(m); err != nil {
		return dst, err
	}
	return append(dst, e.memory.Bytes()...), nil
}

// useMemory gives the writer that a Proto shall be made with.
func (e *encoder) useMemory() *bytes.Buffer {
	e.memory = new(bytes.Buffer)
	return e.memory
}
