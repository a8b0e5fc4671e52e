package rpc

import (
	"sync"
	"sync/atomic"
)

// work counts what a session has in hand: own calls and pushes, and handlers.
type work struct {
	n       atomic.Int64
	onQuiet func() // called whenever the count falls to 0

	watched atomic.Bool // somebody waits in quiet
	mu      sync.Mutex
	idle    chan struct{} // closed at the next fall to 0
}

func (w *work) add() int64 { return w.n.Add(1) }

func (w *work) done() {
	if w.n.Add(-1) > 0 {
		return
	}
	w.onQuiet()
	if !w.watched.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// quiet returns nil if there is no work, else a channel that closes when there
// has been none for a moment.
func (w *work) quiet() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched.Store(true)
	if w.n.Load() == 0 {
		return nil
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	return w.idle
}
