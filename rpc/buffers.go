package rpc

import (
	"math/bits"
	"sync"
)

const (
	maxBatch = 64 << 10 // bytes of frames that are put together for one write

	// Buffers are used again by class. Those up to maxBatch are powers of four, from
	// 1 KiB on. The larger ones are for frames of their own: powers of two and some room,
	// since the bodies in them are often a power of two.
	smallClasses = 4
	largeClasses = 5
	classRoom    = 4 << 10
	// What is above is left to the garbage collector: one huge message must not pin its
	// memory for ever.
	maxPooledBuffer = maxBatch<<(largeClasses-1) + classRoom
)

// buffer is bytes that are used again. It is a pointer everywhere: putting a slice into
// a pool would allocate its header each time.
type buffer struct{ b []byte }

// bufferPool keeps buffers for frames, batches and bodies.
type bufferPool struct {
	classes [smallClasses + largeClasses]sync.Pool
	poison  bool // tests spoil what comes back, to see who still uses it
}

// get gives an empty buffer with room for size bytes.
func (p *bufferPool) get(size int) *buffer {
	if size > maxPooledBuffer {
		return &buffer{make([]byte, 0, size)}
	}
	class := classFor(size)
	if b, ok := p.classes[class].Get().(*buffer); ok {
		b.b = b.b[:0]
		return b
	}
	return &buffer{make([]byte, 0, classSize(class))}
}

// put takes a buffer back; the caller must not use it any more. nil is none.
func (p *bufferPool) put(b *buffer) {
	if b == nil {
		return
	}
	room := cap(b.b)
	if p.poison {
		spoiled := b.b[:room]
		for i := range spoiled {
			spoiled[i] = 0xdb
		}
	}
	if room > maxPooledBuffer || room < classSize(0) {
		return
	}
	class := classFor(room)
	if classSize(class) > room {
		class-- // it has grown to less than that
	}
	p.classes[class].Put(b)
}

// grow gives a buffer with the bytes of b and room for size, and takes b back.
func (p *bufferPool) grow(b *buffer, size int) *buffer {
	if size <= cap(b.b) {
		return b
	}
	bigger := p.get(size)
	bigger.b = append(bigger.b, b.b...)
	p.put(b)
	return bigger
}

// classFor is the class of buffers that have room for size, up to maxPooledBuffer.
func classFor(size int) int {
	if size <= maxBatch {
		return (bits.Len(uint(max(size, 1)-1)|0x3ff) - 9) / 2
	}
	return smallClasses + bits.Len(uint(max(size-classRoom, 1)-1)>>16)
}

// classSize is the room of a buffer of a class, in bytes.
func classSize(class int) int {
	if class < smallClasses {
		return 1 << (10 + 2*class)
	}
	return maxBatch<<(class-smallClasses) + classRoom
}
