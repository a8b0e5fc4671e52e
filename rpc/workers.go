package rpc

import (
	"context"
	"fmt"
	"sync"
)

// maxIdleWorkers is how many goroutines wait for more to do. They are kept
// because their stacks have grown to what handlers need.
const maxIdleWorkers = 64

// task is what a worker does.
type task interface{ run() }

type taskFunc func()

func (f taskFunc) run() { f() }

// workers run short-lived tasks on goroutines that are used again. It is the owner of
// those goroutines: stop waits for them.
type workers struct {
	tasks chan task
	quit  chan struct{}

	mu      sync.Mutex
	count   int // goroutines
	idle    int // those that wait
	stopped bool
	empty   chan struct{} // closed when count falls to 0 after stop
}

func newWorkers() *workers {
	return &workers{tasks: make(chan task), quit: make(chan struct{}), empty: make(chan struct{})}
}

// run lets f run soon on another goroutine; it never waits.
func (w *workers) run(f func()) { w.start(taskFunc(f)) }

// start is run for a task, of which no closure need be made.
func (w *workers) start(t task) {
	select {
	case w.tasks <- t:
		return
	default:
	}
	w.mu.Lock()
	w.count++
	w.mu.Unlock()
	go w.loop(t)
}

func (w *workers) loop(t task) {
	defer w.leave()
	for t != nil {
		t.run()
		t = w.next()
	}
}

// next waits for another task; nil is the end.
func (w *workers) next() task {
	w.mu.Lock()
	if w.stopped || w.idle >= maxIdleWorkers {
		w.mu.Unlock()
		return nil
	}
	w.idle++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.idle--
		w.mu.Unlock()
	}()
	select {
	case t := <-w.tasks:
		return t
	case <-w.quit:
		return nil
	}
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
	if !w.stopped {
		w.stopped = true
		close(w.quit)
	}
	count, empty := w.count, w.empty
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
		return fmt.Errorf("%d handlers still run: %w", w.count, context.Cause(ctx))
	}
}
