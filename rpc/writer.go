package rpc

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

// writer sends the frames of one session. Whoever finds nobody writing writes
// for all, so that with one caller there is no hand-over to another goroutine;
// who comes meanwhile adds its frame to the batch, so that with many callers one
// system call carries many frames.
//
// A caller never waits in the kernel: what the socket does not take at once is
// left to a worker, and callers wait, if at all, for room in the queue, where
// their context can end the wait.
type writer struct {
	conn  net.Conn
	try   tryWriter    // nil if conn can only block
	most  int          // bytes in the queue from which on writers wait
	spawn func(func()) // runs the blocking part
	busy  func() bool  // other frames are likely to come right now
	fail  func(error)  // called once when the connection is broken
	bufs  *bufferPool  // for batches
	said  *stamp       // may be nil
	ended func()       // called once after finish, when all is written

	mu        sync.Mutex
	queue     []*buffer     // frames that wait, each buffer being a batch
	queued    int           // bytes in the queue
	spare     [4]*buffer    // what the queue begins in
	writing   bool          // somebody carries the batch
	err       error         // set: nothing more is taken
	finishing bool          // nothing more is taken, the rest is written
	room      chan struct{} // closed when the queue was taken; nil while nobody waits
}

// tryWriter writes what fits without waiting.
type tryWriter interface {
	TryWrite(b []byte) (int, error)
}

// How long a write may wait for room in the queue.
const (
	waitContext time.Duration = 0  // until its context ends
	waitNever   time.Duration = -1 // not at all; may use twice the room
)

// write takes a frame, which is its own from then on; it goes out soon, in order. It waits
// for room until ctx ends, and no longer than wait if that is positive. A CALL that ends
// with it keeps its place until then; nil is none.
func (w *writer) write(ctx context.Context, wait time.Duration, frame *buffer, ends *inbound) error {
	w.mu.Lock()
	if err := w.admit(ctx, wait); err != nil {
		w.mu.Unlock()
		w.bufs.put(frame)
		return err
	}
	drive := w.add(frame, ends)
	w.mu.Unlock()
	if drive {
		w.drive()
	}
	return nil
}

// awaitRoom only waits as write does.
func (w *writer) awaitRoom(ctx context.Context, wait time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.admit(ctx, wait)
}

// enqueue takes a frame without waiting, for who had room just now. With drive the
// caller must call it.
func (w *writer) enqueue(frame *buffer, ends *inbound) (drive bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		err = w.err
	case w.finishing:
		err = net.ErrClosed
	default:
		return w.add(frame, ends), nil
	}
	w.bufs.put(frame)
	return false, err
}

// add queues a frame and tells whether the caller has to drive; the lock is held.
func (w *writer) add(frame *buffer, ends *inbound) (drive bool) {
	ends.vacate()
	if len(frame.b) == 0 {
		w.bufs.put(frame)
		return false
	}
	if w.queue == nil {
		w.queue = w.spare[:0]
	}
	w.queued += len(frame.b)
	if last := len(w.queue) - 1; last >= 0 && len(w.queue[last].b)+len(frame.b) <= maxBatch {
		batch := w.bufs.grow(w.queue[last], len(w.queue[last].b)+len(frame.b))
		batch.b = append(batch.b, frame.b...)
		w.queue[last] = batch
		w.bufs.put(frame)
	} else {
		w.queue = append(w.queue, frame) // no copy: it begins a batch of its own
	}
	drive = !w.writing
	w.writing = true
	return drive
}

// admit waits for room. It is called with the lock held and returns with it.
func (w *writer) admit(ctx context.Context, wait time.Duration) error {
	var expired <-chan time.Time
	for {
		switch {
		case w.err != nil:
			return w.err
		case w.finishing:
			return net.ErrClosed
		case w.queued < w.most:
			return nil
		case wait == waitNever && w.queued < 2*w.most:
			return nil
		case wait == waitNever:
			return errFull
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		if wait > 0 && expired == nil {
			t := time.NewTimer(wait)
			defer t.Stop()
			expired = t.C
		}
		room := w.room
		w.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = contextEnded(ctx)
		case <-expired:
			err = errFull
		}
		w.mu.Lock()
		if err != nil {
			return err
		}
	}
}

// drive writes batches on the caller's goroutine as long as the socket takes
// them at once, and not for ever: a caller has its own reply to wait for.
func (w *writer) drive() {
	if w.try == nil {
		w.spawnFlush(nil, 0)
		return
	}
	const mostRounds = 16
	for range mostRounds {
		if w.busy() {
			w.letOthersJoin()
		}
		batch := w.take()
		if batch == nil {
			return
		}
		n, err := w.try.TryWrite(batch.b)
		if err != nil {
			w.bufs.put(batch)
			w.broken(err)
			return
		}
		if n < len(batch.b) {
			w.spawnFlush(batch, n)
			return
		}
		w.bufs.put(batch)
	}
	w.spawnFlush(nil, 0)
}

// letOthersJoin yields, as others are about to write, and again while that brings frames
// to the batch.
func (w *writer) letOthersJoin() {
	const mostYields = 3
	before := w.waiting()
	for range mostYields {
		runtime.Gosched()
		now := w.waiting()
		if now == before {
			return
		}
		before = now
	}
}

// waiting is how many bytes are in the queue.
func (w *writer) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

// spawnFlush is a function of its own so that its closure costs nothing elsewhere.
func (w *writer) spawnFlush(batch *buffer, from int) {
	w.spawn(func() { w.flush(batch, from) })
}

// flush writes the rest of a batch and then further ones until there is nothing left.
func (w *writer) flush(batch *buffer, from int) {
	for ; ; from = 0 {
		if batch != nil {
			_, err := w.conn.Write(batch.b[from:])
			w.bufs.put(batch)
			if err != nil {
				w.broken(err)
				return
			}
		}
		if w.busy() {
			w.letOthersJoin()
		}
		if batch = w.take(); batch == nil {
			return
		}
	}
}

// take gives the next batch; nil means that the caller has stopped being the one who
// writes.
func (w *writer) take() *buffer {
	w.mu.Lock()
	if len(w.queue) > 0 {
		batch := w.queue[0]
		w.queue[0] = nil
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = w.spare[:0]
		}
		w.queued -= len(batch.b)
		w.makeRoom()
		w.mu.Unlock()
		w.said.set()
		return batch
	}
	w.makeRoom()
	w.writing = false
	ended := w.finishing && w.err == nil
	w.mu.Unlock()
	if ended {
		w.ended()
	}
	return nil
}

// makeRoom wakes those who wait for it; the lock is held.
func (w *writer) makeRoom() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

func (w *writer) broken(err error) {
	w.close(err)
	w.fail(err)
}

// close makes every further write fail with err and drops what waits.
func (w *writer) close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.queue, w.queued = nil, 0
	w.makeRoom()
}

// finish refuses further frames and calls ended once the last one is written.
func (w *writer) finish() {
	w.mu.Lock()
	first := !w.finishing
	w.finishing = true
	now := first && !w.writing && w.err == nil
	w.makeRoom()
	w.mu.Unlock()
	if now {
		w.ended()
	}
}
