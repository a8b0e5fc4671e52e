package rpc

import "sync"

// Buffers above this size are left to the garbage collector: one huge message
// must not pin its memory for ever.
const maxPooledBuffer = 64 << 10

// bufferPool keeps byte buffers for frames and batches.
type bufferPool struct{ pool sync.Pool }

// get gives an empty buffer.
func (p *bufferPool) get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1024)
}

// put takes a buffer back; the caller must not use it any more.
func (p *bufferPool) put(b []byte) {
	if cap(b) >= 1024 && cap(b) <= maxPooledBuffer {
		p.pool.Put(&b)
	}
}
