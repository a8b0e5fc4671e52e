package rpc

import (
	"fmt"

	"github.com/dserver/dserver/rpc/message"
	"github.com/dserver/dserver/rpc/proto"
)

const (
	largeFrame = maxReadBufferSize / 2 // bytes above which a frame is read by itself
	// largeBeginning is how many bytes are read, behind a large frame, of what may be
	// another one: what is read of it there is copied.
	largeBeginning = 8 << 10
	// largeAllowance is how many bytes of memory each byte of a large frame that has come
	// may ask for: what a size field claims is no reason to give any.
	largeAllowance = 16
)

// largeReader reads large frames for a frameReader, each into memory of its own, which may
// go on to who needs its body: nothing of it is copied.
type largeReader struct {
	sizer   proto.Sizer // nil if the protocol does not tell how large a frame is
	bufs    *bufferPool
	frame   *buffer // the last one; nil if it was not large, or has been detached
	follows bool    // the last one was large: so may be the next
}

// size is that of the frame that begins with part, as far as it is known.
func (l *largeReader) size(part []byte) (int, error) {
	if l.sizer == nil {
		return 0, nil
	}
	return l.sizer.FrameSize(part)
}

// release is for when nobody needs the last frame any more.
func (l *largeReader) release() {
	l.bufs.put(l.frame)
	l.frame = nil
}

// detach gives the memory of the last frame if body lies in it.
func (l *largeReader) detach(body []byte) *buffer {
	if l.frame == nil || !ends(body, l.frame.b) {
		return nil
	}
	frame := l.frame
	l.frame = nil
	return frame
}

// ends tells whether two slices have room up to the same byte of memory.
func ends(a, b []byte) bool {
	return cap(a) > 0 && cap(b) > 0 && &a[:cap(a)][cap(a)-1] == &b[:cap(b)][cap(b)-1]
}

// nextLarge goes on with a frame of which a part is in the buffer.
func (r *frameReader) nextLarge(m *message.Message, size int) error {
	r.moveToLarge()
	for {
		if err := r.readLarge(size); err != nil {
			return err
		}
		n, err := r.framer.CutFrame(r.large.frame.b, m)
		if err != nil {
			return &frameError{err}
		}
		if n == size {
			return nil
		}
		// The size was how much the protocol had to see.
		more, err := r.large.size(r.large.frame.b)
		if err == nil && (n > 0 || more <= size) {
			err = fmt.Errorf("the protocol announces %d bytes of a frame and cuts %d", size, n)
		}
		if err != nil {
			return &frameError{err}
		}
		size = more
	}
}

func (r *frameReader) moveToLarge() {
	part := r.buf[r.from:r.to]
	r.large.frame = r.large.bufs.get(len(part))
	r.large.frame.b = append(r.large.frame.b, part...)
	r.large.follows = true
	r.from, r.to = 0, 0
	if len(r.buf) < largeBeginning {
		r.buf = make([]byte, largeBeginning)
	}
}

// readLarge reads until the frame has size bytes.
func (r *frameReader) readLarge(size int) error {
	if r.most > 0 && size > r.most+uncounted {
		return r.tooLarge()
	}
	for have := len(r.large.frame.b); have < size; {
		room := min(size, largeAllowance*have)
		frame := r.large.bufs.grow(r.large.frame, room)
		r.large.frame = frame
		n, err := r.receive(frame.b[have:room], have)
		if err != nil {
			return err
		}
		have += n
		frame.b = frame.b[:have]
	}
	return nil
}
