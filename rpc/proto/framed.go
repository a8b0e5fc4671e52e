package proto

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/dserver/dserver/rpc/message"
)

// Sizer is a Framer that tells from the first bytes how long a frame is, which
// is what Unpack needs.
type Sizer interface {
	Framer
	// FrameSize gives the full size of the frame that starts with buf, or, while
	// it cannot tell, how many bytes it must see.
	FrameSize(buf []byte) (int, error)
}

// Pack is Proto.Pack for a Framer: the frame goes to w in one write.
func Pack(w io.Writer, f Framer, m *message.Message) error {
	frame, err := f.AppendFrame(nil, m)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// Unpack is Proto.Unpack for a Sizer. It takes no byte of the next frame, and
// memory in proportion to the bytes that come, whatever size is announced.
func Unpack(r *bufio.Reader, f Sizer, m *message.Message) error {
	var frame []byte
	for {
		size, err := f.FrameSize(frame)
		if err != nil {
			return err
		}
		if size <= len(frame) {
			_, err := f.CutFrame(frame, m)
			return err
		}
		if frame, err = readMore(r, frame, size); err != nil {
			return err
		}
	}
}

// readMore reads up to size, at most doubling what is there.
func readMore(r *bufio.Reader, frame []byte, size int) ([]byte, error) {
	start := len(frame)
	step := min(size-start, max(start, 4096))
	frame = append(frame, make([]byte, step)...)
	n, err := io.ReadFull(r, frame[start:])
	if errors.Is(err, io.EOF) && start > 0 || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("cannot read the rest of a frame after %d bytes: %w", start+n, io.ErrUnexpectedEOF)
	}
	return frame, err
}
