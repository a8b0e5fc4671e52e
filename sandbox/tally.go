package sandbox

import "sync"

// tally adds up the requests that the runs of one sandbox have answered.
type tally struct {
	mu    sync.Mutex
	over  int64        // of runs before the one that count is of
	count func() int64 // of the current run; nil if it does not tell
}

// by begins to count by another function.
func (t *tally) by(count func() int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count != nil {
		t.over += t.count()
	}
	t.count = count
}

func (t *tally) sum() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		return t.over
	}
	return t.over + t.count()
}
