package ceiling

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/dserver/dserver/bench/internal/payload"
)

const (
	lengthSize = 4
	headerSize = lengthSize + 4 + 1
	readSize   = 64 << 10
)

// pushBit marks a body that is not answered.
const pushBit = 0x80

// frame is a message without its body.
type frame struct {
	number uint32
	kind   byte // the payload.Body, and pushBit
}

func (f frame) body() payload.Body { return payload.Body(f.kind &^ pushBit) }
func (f frame) push() bool         { return f.kind&pushBit != 0 }

// appendFrame appends a message.
func appendFrame(dst []byte, f frame, body []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(headerSize-lengthSize+len(body)))
	dst = binary.LittleEndian.AppendUint32(dst, f.number)
	dst = append(dst, f.kind)
	return append(dst, body...)
}

// readFrame reads a message; its body is in buf if that is large enough.
func readFrame(r *bufio.Reader, buf []byte) (f frame, body []byte, err error) {
	header, err := r.Peek(headerSize)
	if err != nil {
		return f, buf, err
	}
	size := int(binary.LittleEndian.Uint32(header)) - (headerSize - lengthSize)
	f = frame{binary.LittleEndian.Uint32(header[lengthSize:]), header[headerSize-1]}
	if size < 0 || size > 1<<20 {
		return f, buf, io.ErrUnexpectedEOF
	}
	if _, err := r.Discard(headerSize); err != nil {
		return f, buf, err
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	_, err = io.ReadFull(r, buf[:size])
	return f, buf[:size], err
}
