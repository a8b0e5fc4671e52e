package ceiling

import (
	"net"
	"runtime"
	"sync"
)

const (
	highWater = 1 << 20 // bytes that wait before those who send wait as well
	keep      = 4 << 20 // larger buffers are not used again
)

// sender is the writing side of a connection. Any number of goroutines may send.
type sender interface {
	// send takes a copy of body. With more another message follows at once.
	send(f frame, body []byte, more bool) error
	// fail ends everything with err, and waits until nothing is being written.
	fail(err error)
}

// outbox is what waits to be written, and the room for what comes next.
type outbox struct {
	conn net.Conn

	mu         sync.Mutex
	room       sync.Cond
	buf, spare []byte
	err        error
}

// add appends a message; the lock is held. It waits for room as long as somebody else
// makes some.
func (o *outbox) add(f frame, body []byte, draining func() bool) error {
	for len(o.buf) > highWater && o.err == nil && draining() {
		o.room.Wait()
	}
	if o.err == nil {
		o.buf = appendFrame(o.buf, f, body)
	}
	return o.err
}

// flush writes what waits, without the lock, which is held otherwise.
func (o *outbox) flush() {
	b := o.buf
	o.buf, o.spare = o.spare[:0], nil
	o.mu.Unlock()
	o.room.Broadcast()
	_, err := o.conn.Write(b)
	o.mu.Lock()
	if cap(b) <= keep {
		o.spare = b[:0]
	}
	o.fail(err)
}

// fail keeps the first error; the lock is held.
func (o *outbox) fail(err error) {
	if err != nil && o.err == nil {
		o.err = err
		o.room.Broadcast()
	}
}

// queue has a goroutine that writes.
type queue struct {
	outbox
	wake    chan struct{}
	writers sync.WaitGroup
}

func newQueue(c net.Conn) *queue {
	q := &queue{wake: make(chan struct{}, 1)}
	q.conn, q.room.L = c, &q.mu
	q.writers.Go(q.run)
	return q
}

func (q *queue) send(f frame, body []byte, _ bool) error {
	q.mu.Lock()
	err := q.add(f, body, func() bool { return true })
	first := len(q.buf) == headerSize+len(body)
	q.mu.Unlock()
	if first {
		q.rouse()
	}
	return err
}

func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	for range q.wake {
		runtime.Gosched() // those who are about to send join this batch
		q.mu.Lock()
		for len(q.buf) > 0 && q.err == nil {
			q.flush()
		}
		err := q.err
		q.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	q.outbox.fail(err)
	q.mu.Unlock()
	q.rouse()
	q.writers.Wait()
}

// combiner lets those who send write.
type combiner struct {
	outbox
	writing bool
	writers sync.WaitGroup
}

func newCombiner(c net.Conn) *combiner {
	w := &combiner{}
	w.conn, w.room.L = c, &w.mu
	return w
}

func (w *combiner) send(f frame, body []byte, more bool) error {
	w.mu.Lock()
	err := w.add(f, body, func() bool { return w.writing })
	mine := err == nil && !w.writing && (!more || len(w.buf) > readSize)
	if mine {
		w.writing = true
	}
	w.mu.Unlock()
	if mine {
		w.write(2)
	}
	return err
}

// write writes for all until nothing waits; after some batches another goroutine takes
// over, so that a caller does not write for ever. 0 is no limit.
func (w *combiner) write(batches int) {
	for n := 1; ; n++ {
		runtime.Gosched() // those who are about to send join this batch
		w.mu.Lock()
		if len(w.buf) > 0 && w.err == nil {
			w.flush()
		}
		w.writing = len(w.buf) > 0 && w.err == nil
		handOn := w.writing && n == batches
		if handOn {
			w.writers.Go(func() { w.write(0) })
		}
		done := handOn || !w.writing
		w.mu.Unlock()
		if done {
			return
		}
	}
}

func (w *combiner) fail(err error) {
	w.mu.Lock()
	w.outbox.fail(err)
	w.mu.Unlock()
	w.writers.Wait()
}
