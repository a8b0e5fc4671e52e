package rpc

import (
	"context"
	"fmt"
	"sync"
)

// maxIdleWorkers is how many goroutines wait for more to do. They are kept
// because their stacks have grown to what handlers need.
const maxIdleWorkers = 64

// keptQueue is how many places of a queue are kept when it has become empty.
const keptQueue = 1 << 10

// task is what a worker does.
type task interface{ run() }

type taskFunc func()

func (f taskFunc) run() { f() }

// workers run short-lived tasks on goroutines that are used again. It is the owner of
// those goroutines: stop waits for them.
//
// As long as a task waits there is a goroutine that seeks one, and as a rule a single
// one: who has taken a task wakes the next seeker if nobody else seeks. So a task that
// takes long holds nobody up, and short ones that come together are run by few goroutines
// one after the other, without the price of waking one for each.
type workers struct {
	mu      sync.Mutex
	queue   []task // those that wait, from first on
	first   int
	seeking int             // goroutines that will look for a task
	idle    []chan struct{} // what the others wait for, each its own
	count   int             // goroutines
	stopped bool
	empty   chan struct{} // closed when count falls to 0 after stop
}

func newWorkers() *workers { return &workers{empty: make(chan struct{})} }

// run lets f run soon on another goroutine; it never waits.
func (w *workers) run(f func()) { w.start(taskFunc(f)) }

// start is run for a task, of which no closure need be made.
func (w *workers) start(t task) {
	w.mu.Lock()
	w.push(t)
	w.seekAndUnlock()
}

// push adds to the queue, in which places become free at the beginning. The lock is
// held.
func (w *workers) push(t task) {
	if len(w.queue) == cap(w.queue) && w.first > len(w.queue)/2 {
		n := copy(w.queue, w.queue[w.first:])
		clear(w.queue[n:])
		w.queue, w.first = w.queue[:n], 0
	}
	w.queue = append(w.queue, t)
}

// pop takes the task that waits longest. The lock is held.
func (w *workers) pop() task {
	t := w.queue[w.first]
	w.queue[w.first] = nil
	if w.first++; w.first == len(w.queue) {
		w.queue, w.first = w.queue[:0], 0
		if cap(w.queue) > keptQueue {
			w.queue = nil
		}
	}
	return t
}

// seekAndUnlock sees to it that somebody seeks if a task waits.
func (w *workers) seekAndUnlock() {
	if w.seeking > 0 || w.first == len(w.queue) {
		w.mu.Unlock()
		return
	}
	w.seeking++
	last := len(w.idle) - 1
	if last < 0 {
		w.count++
		w.mu.Unlock()
		go w.loop()
		return
	}
	wake := w.idle[last] // it has waited least, and its stack is likely to be warm
	w.idle = w.idle[:last]
	w.mu.Unlock()
	wake <- struct{}{}
}

func (w *workers) loop() {
	defer w.leave()
	wake := make(chan struct{}, 1)
	for t := w.next(wake); t != nil; t = w.next(wake) {
		t.run()
		w.mu.Lock()
		w.seeking++
		w.mu.Unlock()
	}
}

// next gives a task to who seeks one, and waits for it if need be; nil is the end.
func (w *workers) next(wake chan struct{}) task {
	w.mu.Lock()
	for w.first == len(w.queue) {
		w.seeking--
		if w.stopped || len(w.idle) >= maxIdleWorkers {
			w.mu.Unlock()
			return nil
		}
		w.idle = append(w.idle, wake)
		w.mu.Unlock()
		<-wake
		w.mu.Lock()
	}
	t := w.pop()
	w.seeking--
	w.seekAndUnlock()
	return t
}

func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count--; w.count == 0 && w.stopped {
		close(w.empty)
		w.empty = make(chan struct{}) // a late task may come and go
	}
}

// stop ends the idle ones and waits for the others until ctx ends.
func (w *workers) stop(ctx context.Context) error {
	w.mu.Lock()
	w.stopped = true
	count, empty := w.count, w.empty
	w.seeking += len(w.idle)
	for _, wake := range w.idle {
		wake <- struct{}{} // which has room
	}
	w.idle = nil
	w.mu.Unlock()
	if count == 0 {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		return fmt.Errorf("%d workers still run: %w", w.count, context.Cause(ctx))
	}
}
