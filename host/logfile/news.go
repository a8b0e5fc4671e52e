package logfile

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pollPause is how often followers look by themselves where the system does not
// tell them about other processes' writes.
const pollPause = 250 * time.Millisecond

// news wakes followers when there may be something new: told by a Writer of this
// process, or by the system.
type news struct {
	path string

	mu        sync.Mutex
	followers map[chan struct{}]struct{}
	watch     *watch // while there are followers, if the system can do it
}

// join registers a follower, which is woken through the channel, of capacity 1,
// until it leaves.
func (n *news) join(wake chan struct{}) (leave func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.followers == nil {
		n.followers = make(map[chan struct{}]struct{})
	}
	if len(n.followers) == 0 {
		n.watch = newWatch(n.path, n.wakeAll)
	}
	n.followers[wake] = struct{}{}
	return func() { n.leave(wake) }
}

func (n *news) leave(c chan struct{}) {
	n.mu.Lock()
	delete(n.followers, c)
	var unused *watch
	if len(n.followers) == 0 {
		unused, n.watch = n.watch, nil
	}
	n.mu.Unlock()
	// The watch may be waking followers, for which it needs the mutex.
	if unused != nil {
		unused.close()
	}
}

func (n *news) wakeAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.followers {
		select {
		case c <- struct{}{}:
		default: // woken already, and has not looked yet
		}
	}
}

// wait returns when there may be something new in one of the logs, or with ctx's
// error.
func wait(ctx context.Context, logs []*Reader, wake <-chan struct{}) error {
	var poll <-chan time.Time
	if slices.ContainsFunc(logs, func(r *Reader) bool { return !r.news.watched() }) {
		timer := time.NewTimer(pollPause)
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-wake:
	case <-poll:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (n *news) watched() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.watch != nil && n.watch.works()
}
