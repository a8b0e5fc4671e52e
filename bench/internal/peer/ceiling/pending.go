package ceiling

import "sync"

// waiter is a call that is under way. Its caller uses it for one call after the other.
type waiter struct {
	done chan error // of 1
	read func(body []byte) error
}

const shards = 16 // so that callers rarely wait for one another

// pending are the calls of a connection by number.
type pending struct {
	shards [shards]struct {
		mu    sync.Mutex
		calls map[uint32]*waiter
		err   error
		_     [32]byte // one line of the cache each
	}
}

func (p *pending) init() {
	for i := range p.shards {
		p.shards[i].calls = make(map[uint32]*waiter)
	}
}

func (p *pending) add(number uint32, w *waiter) error {
	s := &p.shards[number%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.calls[number] = w
	}
	return s.err
}

// take gives the call that a reply is for; nil if there is none.
func (p *pending) take(number uint32) *waiter {
	s := &p.shards[number%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.calls[number]
	delete(s.calls, number)
	return w
}

// fail ends all calls, also those that come later.
func (p *pending) fail(err error) {
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		s.err = err
		for _, w := range s.calls {
			w.done <- err
		}
		clear(s.calls)
		s.mu.Unlock()
	}
}
