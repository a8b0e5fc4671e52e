package proto

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/dserver/dserver/rpc/message"
)

// Pack is Proto.Pack for a Framer: the frame goes to w in one write.
func Pack(w io.Writer, f Framer, m *message.Message) error {
	frame, err := f.AppendFrame(nil, m)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// Unpack is Proto.Unpack for a Framer on a reader. It keeps at most twice the
// bytes of one frame in memory.
func Unpack(r *bufio.Reader, f Framer, m *message.Message) error {
	var frame []byte
	for {
		n, err := f.CutFrame(frame, m)
		if err != nil || n > 0 {
			return err
		}
		// Byte by byte beyond what is buffered would be slow, more than one frame
		// would take bytes of the next: read what the frame is known to need.
		if frame, err = readMore(r, f, frame); err != nil {
			return err
		}
	}
}

// Sizer is a Framer that can tell from the first bytes how long a frame is.
type Sizer interface {
	// FrameSize gives the full size of the frame that starts with buf, or the
	// number of bytes it must see to tell; it is always more than len(buf) while
	// the frame is incomplete.
	FrameSize(buf []byte) (int, error)
}

func readMore(r *bufio.Reader, f Framer, frame []byte) ([]byte, error) {
	want := len(frame) + 1
	if s, ok := f.(Sizer); ok {
		size, err := s.FrameSize(frame)
		if err != nil {
			return nil, err
		}
		want = max(want, size)
	}
	// The size is the peer's word: memory grows with the bytes that come.
	step := min(want-len(frame), max(len(frame), 4096))
	start := len(frame)
	frame = append(frame, make([]byte, step)...)
	n, err := io.ReadFull(r, frame[start:])
	if errors.Is(err, io.EOF) && start > 0 || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("cannot read the rest of a frame after %d bytes: %w", start+n, io.ErrUnexpectedEOF)
	}
	return frame, err
}
