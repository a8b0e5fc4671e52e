package eventbus

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
)

// Priority is when a subscriber gets an event, compared with others: the highest
// first.
type Priority int

// The seven priorities. Normal is the default.
const (
	Min         Priority = -300
	Low         Priority = -200
	BelowNormal Priority = -100
	Normal      Priority = 0
	AboveNormal Priority = 100
	High        Priority = 200
	Max         Priority = 300
)

// Full is what happens to an event when the queue of an asynchronous subscriber
// has no room.
type Full int

const (
	// Refuse does not take the event; the publisher gets [ErrFull]. The default.
	Refuse Full = iota
	// Wait makes the publisher wait for room until its context ends.
	Wait
)

const (
	defaultQueue = 256
	maxQueue     = 1 << 20
)

// Options say how a subscriber wants its events. The zero value is a synchronous
// subscriber of normal priority.
type Options struct {
	Name     string   // in errors and reports; the pattern or type by default
	Priority Priority // one of the seven
	Once     bool     // remove it with the first event it takes
	Async    bool     // deliver from a goroutine of its own
	Queue    int      // events that may wait for it, if Async: 256 by default, 1,048,576 at most
	Full     Full     // when Queue of them wait: Refuse by default
}

func (o Options) validate() error {
	switch o.Priority {
	case Min, Low, BelowNormal, Normal, AboveNormal, High, Max:
	default:
		return fmt.Errorf("priority %d is none of the seven", o.Priority)
	}
	switch {
	case o.Full != Refuse && o.Full != Wait:
		return fmt.Errorf("option Full has the unknown value %d", o.Full)
	case o.Queue < 0 || o.Queue > maxQueue:
		return fmt.Errorf("a queue of %d is not between 0 and %d", o.Queue, maxQueue)
	case !o.Async && (o.Queue != 0 || o.Full != Refuse):
		return fmt.Errorf("options Queue and Full are for asynchronous subscribers")
	}
	return nil
}

// Subscription is one subscriber of a bus.
type Subscription struct {
	bus        *Bus
	gate       *gate // calls that run and events that are queued
	name       string
	event      string       // pattern, name or type, as subscribed to
	key        reflect.Type // of typed events only
	pattern    pattern      // of names with stars only
	serial     uint64
	priority   Priority
	full       Full
	once       bool
	handler    any       // func(context.Context, T) error
	queue      chan item // nil if synchronous
	callQueued func(ctx context.Context, value any) error

	taken   atomic.Bool // by an event, if once
	removed atomic.Bool // what is queued is not wanted any more

	delivered, failed, dropped atomic.Uint64
}

// subscribe completes s and puts it on the bus.
func subscribe[T any](b *Bus, s *Subscription, o Options, h func(context.Context, T) error) (*Subscription, error) {
	if h == nil {
		return nil, fmt.Errorf("cannot subscribe to %s: no handler given", s.event)
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("cannot subscribe to %s: %w", s.event, err)
	}
	s.bus, s.gate, s.handler = b, newGate(), h
	s.name, s.priority, s.once, s.full = cmp.Or(o.Name, s.event), o.Priority, o.Once, o.Full
	if o.Async {
		s.queue = make(chan item, cmp.Or(o.Queue, defaultQueue))
		s.callQueued = func(ctx context.Context, value any) error {
			v, _ := value.(T) // fails for a nil interface only, whose zero value v is
			return call(ctx, s, v)
		}
	}
	if err := b.add(s); err != nil {
		return nil, fmt.Errorf("cannot subscribe to %s: %w", s.event, err)
	}
	return s, nil
}

// Remove ends the subscription; see the package on what that means for events
// under way. It does not wait, and may be called more than once.
func (s *Subscription) Remove() {
	s.removed.Store(true)
	s.retire()
}

// retire lets no more events in.
func (s *Subscription) retire() {
	s.bus.remove(s)
	s.gate.shut()
}

// Done is closed once the subscription was removed and its handler neither runs
// nor will be called again.
func (s *Subscription) Done() <-chan struct{} { return s.gate.idle }

// Stats is what became of the events of one subscriber so far.
type Stats struct {
	Delivered uint64 // the handler returned nil
	Failed    uint64 // the handler returned an error or panicked
	Dropped   uint64 // not delivered: no room in the queue, or removed before
	Waiting   int    // in the queue now
}

// Stats may be called at any time, also after removal.
func (s *Subscription) Stats() Stats {
	return Stats{
		Delivered: s.delivered.Load(),
		Failed:    s.failed.Load(),
		Dropped:   s.dropped.Load(),
		Waiting:   len(s.queue),
	}
}

// take tells whether s gets the event; then the caller is inside its gate.
func (s *Subscription) take() bool {
	if !s.gate.enter() {
		return false
	}
	if !s.once {
		return true
	}
	if !s.taken.CompareAndSwap(false, true) {
		s.gate.leave()
		return false
	}
	s.retire()
	return true
}

func (s *Subscription) failure(name string, err error) *DeliveryError {
	return &DeliveryError{Event: cmp.Or(name, s.event), Subscriber: s.name, Err: err}
}

// compare orders by delivery.
func compare(a, b *Subscription) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.serial, b.serial))
}
