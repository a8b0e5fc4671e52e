package ws

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"

	"github.com/coder/websocket"
)

// Write sends each frame that is complete as one message and keeps the rest, of which
// it says that it is written.
func (c *Conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.split.write(b, c.writeMessage)
}

func (c *Conn) writeMessage(payload []byte) error {
	if !c.takeTurn() {
		return net.ErrClosed
	}
	defer c.giveTurn()
	if c.ending.Load() {
		return net.ErrClosed
	}
	if err := c.ws.Write(context.Background(), websocket.MessageBinary, payload); err != nil {
		if c.isClosed() {
			return net.ErrClosed
		}
		return fmt.Errorf("cannot write a message of %d bytes: %w", len(payload), err)
	}
	return nil
}

// splitter finds the frames in what is written, however that is cut.
type splitter struct {
	limit int    // bytes of a payload
	part  []byte // of a frame that is not complete
	err   error  // nothing more can be written
}

// write calls emit with the payload of each frame that b completes.
func (s *splitter) write(b []byte, emit func(payload []byte) error) (n int, err error) {
	for n < len(b) && s.err == nil {
		took := 0
		if len(s.part) == 0 {
			took, s.err = s.whole(b[n:], emit)
		}
		if took == 0 && s.err == nil {
			took, s.err = s.collect(b[n:], emit)
		}
		n += took
	}
	return n, s.err
}

// whole emits the frame at the start of b, if all of it is there.
func (s *splitter) whole(b []byte, emit func(payload []byte) error) (int, error) {
	size, err := s.frameSize(b)
	if err != nil || size == 0 || size > len(b) {
		return 0, err
	}
	return size, emit(b[sizeBytes:size])
}

// collect takes what the part lacks, as far as it is known.
func (s *splitter) collect(b []byte, emit func(payload []byte) error) (int, error) {
	size, err := s.frameSize(s.part)
	if err != nil {
		return 0, err
	}
	if size == 0 {
		size = sizeBytes
	}
	n := min(size-len(s.part), len(b))
	s.part = append(s.part, b[:n]...)
	if size, err = s.frameSize(s.part); err != nil || size != len(s.part) {
		return n, err
	}
	payload := s.part[sizeBytes:]
	if s.part = s.part[:0]; cap(s.part) > firstBuffer {
		s.part = nil
	}
	return n, emit(payload)
}

// frameSize is 0 while it is not known.
func (s *splitter) frameSize(b []byte) (int, error) {
	if len(b) < sizeBytes {
		return 0, nil
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size > int64(s.limit) {
		return 0, fmt.Errorf("cannot write a message of %d bytes, the most is %d", size, s.limit)
	}
	return int(size) + sizeBytes, nil
}
