package rpc

import "sync"

const (
	minPooledBuffer = 1 << 10
	// Buffers above this size are left to the garbage collector: one huge message
	// must not pin its memory for ever.
	maxPooledBuffer = 64 << 10
)

// buffer is bytes that are used again. It is a pointer everywhere: putting a slice into
// a pool would allocate its header each time.
type buffer struct{ b []byte }

// add appends p. It doubles a buffer that is full, but no further than what the pool
// takes back, if that is enough.
func (b *buffer) add(p []byte) {
	if need := len(b.b) + len(p); need > cap(b.b) {
		room := max(need, min(2*cap(b.b), maxPooledBuffer))
		b.b = append(make([]byte, 0, room), b.b...)
	}
	b.b = append(b.b, p...)
}

// bufferPool keeps buffers for frames and batches.
type bufferPool struct {
	pool   sync.Pool
	poison bool // tests spoil what comes back, to see who still uses it
}

// get gives an empty buffer.
func (p *bufferPool) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		b.b = b.b[:0]
		return b
	}
	return &buffer{make([]byte, 0, minPooledBuffer)}
}

// put takes a buffer back; the caller must not use it any more.
func (p *bufferPool) put(b *buffer) {
	if p.poison {
		spoiled := b.b[:cap(b.b)]
		for i := range spoiled {
			spoiled[i] = 0xdb
		}
	}
	if cap(b.b) >= minPooledBuffer && cap(b.b) <= maxPooledBuffer {
		p.pool.Put(b)
	}
}
