package envelope

import (
	"encoding/binary"
	"fmt"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

const sizeBytes = 4

// Payload is what a protocol has inside.
type Payload interface {
	// AppendPayload appends the text of m. After an error the result does not count.
	AppendPayload(dst []byte, m *message.Message) ([]byte, error)
	// ParsePayload reads m out of the text; m.Body may point into it.
	ParsePayload(text []byte, m *message.Message) error
}

// Frame is proto.Sizer and proto.Proto, but for Version, around a Payload.
type Frame struct {
	Stream  proto.Stream
	Payload Payload
}

// Pack writes one frame.
func (f Frame) Pack(m *message.Message) error { return proto.Pack(f.Stream.Writer, f, m) }

// Unpack reads one frame.
func (f Frame) Unpack(m *message.Message) error { return proto.Unpack(f.Stream.Reader, f, m) }

// AppendFrame appends m. It refuses what is over the limit.
func (f Frame) AppendFrame(dst []byte, m *message.Message) ([]byte, error) {
	start := len(dst)
	out, err := f.Payload.AppendPayload(append(dst, 0, 0, 0, 0), m)
	if err != nil {
		return dst, fmt.Errorf("cannot write: %w", err)
	}
	m.Size = len(out) - start
	if err := checkSize(f.Stream.Limits, int64(m.Size-sizeBytes)); err != nil {
		return dst, fmt.Errorf("cannot write: %w", err)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(m.Size-sizeBytes))
	return out, nil
}

// checkSize compares a size with the limit, and with what 32 bits can say.
func checkSize(limits proto.Limits, size int64) error {
	limit := int64(limits.Message)
	if limit <= 0 {
		limit = 1<<32 - 1
	}
	if size > limit {
		return fmt.Errorf("%d bytes, the most is %d: %w", size, limit, proto.ErrTooLarge)
	}
	return nil
}

// FrameSize gives the frame's full size once its first 4 bytes are there.
func (f Frame) FrameSize(buf []byte) (int, error) {
	if len(buf) < sizeBytes {
		return sizeBytes, nil
	}
	size := int64(binary.BigEndian.Uint32(buf))
	if err := checkSize(f.Stream.Limits, size); err != nil {
		return 0, err
	}
	return int(size) + sizeBytes, nil
}

// CutFrame reads the frame at the start of buf. An error says what is wrong.
func (f Frame) CutFrame(buf []byte, m *message.Message) (int, error) {
	total, err := f.FrameSize(buf)
	if err != nil {
		return 0, fmt.Errorf("cannot read frame: %w", err)
	}
	if len(buf) < total {
		return 0, nil
	}
	m.Size = total
	if err := f.Payload.ParsePayload(buf[sizeBytes:total], m); err != nil {
		return 0, fmt.Errorf("cannot read frame of %d bytes: %w", total, err)
	}
	return total, nil
}
