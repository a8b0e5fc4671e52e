package rpc

import "sync"

// lane runs the messages of ordered routes of one session one after the other.
// Its length is bounded because every entry was admitted as a handler.
type lane struct {
	spawn func(task)

	mu      sync.Mutex
	queue   []*inbound
	running bool
	left    int           // entries that have not ended
	room    chan struct{} // closed when one ends; nil while nobody waits
}

// awaitRoom waits until fewer than most entries are left, or done closes.
func (l *lane) awaitRoom(most int, done <-chan struct{}) {
	for {
		l.mu.Lock()
		if l.left < most {
			l.mu.Unlock()
			return
		}
		if l.room == nil {
			l.room = make(chan struct{})
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return
		}
	}
}

func (l *lane) enter(in *inbound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	l.queue = append(l.queue, in)
	if !l.running {
		l.running = true
		l.spawn(l)
	}
}

// run handles what waits until nothing does.
func (l *lane) run() {
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
		l.leave()
	}
}

func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left--
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}
