package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/ctl"
)

// hubMemory is how many events a follower can go back. Up to twice as many are
// kept, so that not every event makes all others move.
const hubMemory = 1024

// hub numbers events, remembers the newest, and hands them to its consumers. Its
// methods are safe for concurrent use; consumers are called one event at a time,
// in order, and must not publish.
type hub struct {
	mu        sync.Mutex
	last      uint64 // ID of the newest event
	ring      []ctl.Event
	changed   chan struct{} // closed at the next event or wake
	consumers []func(Event, ctl.Event)
}

func newHub(consumers ...func(Event, ctl.Event)) *hub {
	return &hub{changed: make(chan struct{}), consumers: consumers}
}

func (h *hub) publish(e Event) {
	r := e.record()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	r.ID, r.Time = h.last, time.Now()
	if h.ring = append(h.ring, r); len(h.ring) >= 2*hubMemory {
		h.ring = append(h.ring[:0:0], h.ring[len(h.ring)-hubMemory:]...)
	}
	for _, consume := range h.consumers {
		consume(e, r)
	}
	h.wakeLocked()
}

// wake lets those who wait for events look again: something has changed of which
// there is no event.
func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeLocked()
}

func (h *hub) wakeLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// goOn takes the place of a predecessor's hub: its events instead of those so
// far, which the predecessor has seen as well, and its count.
func (h *hub) goOn(events []ctl.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring = events
	if len(events) > 0 {
		h.last = events[len(events)-1].ID
	}
}

// remembered gives the events that a follower can go back to.
func (h *hub) remembered() []ctl.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ring[max(0, len(h.ring)-hubMemory):])
}

// follow gives emit every remembered event after since and then each new one,
// until ctx ends or emit fails.
func (h *hub) follow(ctx context.Context, since uint64, emit func(ctl.Event) error) error {
	for {
		events, changed := h.after(since)
		for _, e := range events {
			if err := emit(e); err != nil {
				return err
			}
			since = e.ID
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (h *hub) after(since uint64) ([]ctl.Event, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := uint64(min(len(h.ring), hubMemory)); n > 0 && h.last-n > since {
		since = h.last - n
	}
	if since >= h.last {
		return nil, h.changed
	}
	n := h.last - since
	return append([]ctl.Event(nil), h.ring[uint64(len(h.ring))-n:]...), h.changed
}
