package rpc

import "sync"

// lane runs the messages of ordered routes of one session one after the other.
// Its length is bounded because every entry was admitted as a handler.
type lane struct {
	spawn func(func())

	mu      sync.Mutex
	queue   []*inbound
	running bool
}

func (l *lane) enter(in *inbound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, in)
	if !l.running {
		l.running = true
		l.spawn(l.drain)
	}
}

func (l *lane) drain() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.queue, l.running = nil, false
			l.mu.Unlock()
			return
		}
		in := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		in.run()
	}
}
