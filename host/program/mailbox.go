package program

import "sync"

// message is something that an instance's goroutine is told.
type message interface{ apply(u *unit) }

// mailbox holds messages in the order in which they came. Putting one in never
// blocks, so that several instances can be told of one wish under one lock.
type mailbox struct {
	bell chan struct{} // holds one when there may be messages

	mu     sync.Mutex
	queue  []message
	closed bool
}

func newMailbox() *mailbox { return &mailbox{bell: make(chan struct{}, 1)} }

// put tells whether anybody will read the message.
func (b *mailbox) put(m message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, m)
	select {
	case b.bell <- struct{}{}:
	default:
	}
	return true
}

// take gives all messages there are.
func (b *mailbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}

// close refuses what comes from now on and gives what nobody has read.
func (b *mailbox) close() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	queue := b.queue
	b.queue = nil
	return queue
}
