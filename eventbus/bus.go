package eventbus

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/dserver/dserver/internal/group"
)

// Bus takes events from those who publish to those who subscribed. Make one
// with [New].
type Bus struct {
	gate    *gate // every publish that runs and every event that is queued
	workers *group.Group

	mu     sync.RWMutex
	serial uint64
	// Lists are in order of delivery and never changed in place, so that a
	// publisher needs the lock only to find them. A key has a list or is absent.
	typed    map[reflect.Type][]*Subscription
	named    map[string][]*Subscription
	patterns []*Subscription
}

// New returns a bus without subscribers. Close it to end its goroutines.
func New() *Bus {
	return &Bus{
		gate:    newGate(),
		workers: group.New(context.Background(), nil), // panics of handlers are caught at each call
		typed:   make(map[reflect.Type][]*Subscription),
		named:   make(map[string][]*Subscription),
	}
}

// Event is a named event.
type Event struct {
	Name string // words joined by dots, 255 bytes at most, without stars
	Data any    // shared by all subscribers: not theirs to change
}

// Handler gets a named event. The context is the publisher's; that of an
// asynchronous subscriber has the publisher's values, and ends when the bus gives
// up waiting for it in [Bus.Close].
type Handler = func(ctx context.Context, e Event) error

// Subscribe calls h for every event whose name the pattern means. It returns
// [ErrClosed] after [Bus.Close], and an error if the pattern, an option or h is
// not valid.
func (b *Bus) Subscribe(pattern string, o Options, h Handler) (*Subscription, error) {
	words, err := parsePattern(pattern)
	if err != nil {
		return nil, fmt.Errorf("cannot subscribe: %w", err)
	}
	return subscribe(b, &Subscription{event: pattern, pattern: words}, o, h)
}

// On calls h for every value of type T that is emitted. T is what the compiler
// sees: who subscribes to an interface gets what is emitted as that interface,
// not the types behind it. Errors are those of [Bus.Subscribe].
func On[T any](b *Bus, o Options, h func(ctx context.Context, v T) error) (*Subscription, error) {
	key := reflect.TypeFor[T]()
	return subscribe(b, &Subscription{event: key.String(), key: key}, o, h)
}

// Publish takes an event to its subscribers, calls the synchronous ones, and
// returns what failed: nil, or [*DeliveryError] joined, one for each. With
// [ErrAbort] among them not all subscribers got the event; with [ErrFull] an
// asynchronous one did not. It returns [ErrClosed] after [Bus.Close]. No
// subscriber is no error.
//
// ctx is handed to the handlers; Publish itself looks at it only while it waits
// for room in a queue.
func (b *Bus) Publish(ctx context.Context, name string, data any) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("cannot publish: %w", err)
	}
	b.mu.RLock()
	exact, patterns := b.named[name], b.patterns
	b.mu.RUnlock()
	return publish(ctx, b, route{name: name, exact: exact, patterns: patterns}, Event{Name: name, Data: data})
}

// PublishBatch publishes the events one after the other. The error at an index
// is that of the event at the same index, nil if it did not fail.
func (b *Bus) PublishBatch(ctx context.Context, events ...Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		errs[i] = b.Publish(ctx, e.Name, e.Data)
	}
	return errs
}

// Emit takes v to those who subscribed to its type, in all else like
// [Bus.Publish].
func Emit[T any](ctx context.Context, b *Bus, v T) error {
	return publish(ctx, b, b.routeTo(reflect.TypeFor[T]()), v)
}

func (b *Bus) routeTo(key reflect.Type) route {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return route{exact: b.typed[key]}
}

// emitFailure tells on the bus what an asynchronous subscriber could not do. The
// caller is inside the gate, so it works while the bus is closing.
func (b *Bus) emitFailure(ctx context.Context, e *DeliveryError) {
	// Whoever fails to handle a failure is counted as every other.
	_ = deliver(ctx, b, b.routeTo(reflect.TypeFor[*DeliveryError]()), e)
}

// Close refuses new events and subscribers, waits until all deliveries have
// ended, and removes all subscribers. When ctx ends before, it drops what is
// queued, cancels the context of asynchronous handlers and returns an error with
// the names of the subscribers that still run; Close may be called again to wait
// for those.
func (b *Bus) Close(ctx context.Context) error {
	b.gate.shut()
	late := b.gate.wait(ctx)
	for _, s := range b.all() {
		s.Remove()
	}
	b.workers.Cancel(ErrClosed)
	err := b.workers.Wait(ctx)
	if err == nil {
		err = late
	}
	if err != nil {
		return fmt.Errorf("cannot wait for all deliveries: %w", err)
	}
	return nil
}

func (b *Bus) all() []*Subscription {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := slices.Clone(b.patterns)
	for _, list := range b.named {
		all = append(all, list...)
	}
	for _, list := range b.typed {
		all = append(all, list...)
	}
	slices.SortFunc(all, compare)
	return all
}

func (b *Bus) add(s *Subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate.isShut() {
		return ErrClosed
	}
	b.serial++
	s.serial = b.serial
	b.change(s, func(list []*Subscription) []*Subscription {
		i, _ := slices.BinarySearchFunc(list, s, compare)
		return slices.Concat(list[:i], []*Subscription{s}, list[i:])
	})
	if s.queue != nil {
		b.workers.Go(s.name, s.work)
	}
	return nil
}

// remove does nothing for one that is not there.
func (b *Bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change(s, func(list []*Subscription) []*Subscription {
		i := slices.Index(list, s)
		if i < 0 {
			return list
		}
		return slices.Concat(list[:i], list[i+1:])
	})
}

// change replaces the list that s belongs to. The caller has the lock.
func (b *Bus) change(s *Subscription, f func([]*Subscription) []*Subscription) {
	switch {
	case s.key != nil:
		replace(b.typed, s.key, f)
	case s.pattern != nil:
		b.patterns = f(b.patterns)
	default:
		replace(b.named, s.event, f)
	}
}

func replace[K comparable](lists map[K][]*Subscription, key K, f func([]*Subscription) []*Subscription) {
	if list := f(lists[key]); len(list) > 0 {
		lists[key] = list
	} else {
		delete(lists, key)
	}
}
