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

	mu     sync.Mutex // held until what was packed is queued
	proto  proto.Proto
	memory *bytes.Buffer
}

// append appends the frame of m to dst, by a Framer. Users' protocols run in here.
func (e *encoder) append(dst []byte, m *message.Message) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = dst, panicked(v)
		}
	}()
	return e.framer.AppendFrame(dst, m)
}

// pack has m packed by any other Proto, and queued before the next one is packed.
func (e *encoder) pack(m *message.Message, queue func(frame []byte)) (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if e.memory.Cap() > maxBatch {
			*e.memory = bytes.Buffer{}
		}
	}()
	e.memory.Reset()
	if err := e.proto.Pack(m); err != nil {
		return err
	}
	queue(e.memory.Bytes())
	return nil
}

func panicked(v any) error { return fmt.Errorf("protocol panicked: %v", v) }

// useMemory gives the writer that a Proto shall be made with.
func (e *encoder) useMemory() *bytes.Buffer {
	e.memory = new(bytes.Buffer)
	return e.memory
}
