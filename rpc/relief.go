package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A reader that runs a handler itself saves waking another goroutine, which for a short
// handler is most of the work. Nobody can know beforehand that it will be short. So the
// reader does it where the handlers of a route have been short so far, and where one
// takes long after all another goroutine reads on, and the former reader ends with its
// handler. It is the pattern of leader and followers, but a follower is called only if
// the leader is late.

const (
	// reliefTime is how often it is looked whether a reader is late; one that is has
	// been so for at most twice as long.
	reliefTime = 5 * time.Millisecond
	// watchedFor is how many looks a reader is watched that runs no handlers.
	watchedFor = 10

	// burstGap is the longest pause between messages of a session that is busy, and
	// burstLength how many of them make it so. Only then is there something to be saved.
	burstGap    = time.Millisecond
	burstLength = 16

	// shortAlone is how long handlers may take, on average, which the reader runs when
	// nothing else has come. It is about what waking a goroutine may take.
	shortAlone = 20 * time.Microsecond
	// shortInCrowd is the same when more has come: others could run it at the same time.
	shortInCrowd = 2 * time.Microsecond
)

// passedOn is the state in which the goroutine is not the reader any more.
const passedOn = ^uint64(0)

func lending(state uint64) bool { return state&1 == 1 }

// takes tells whether the reader should run a handler itself.
func (r *reading) takes(in *inbound) bool {
	r.note()
	busy := r.burst > burstLength
	in.timed = busy && r.burst%burstLength == 0
	switch mean := in.route.pace.mean(); {
	case in.m.Last:
		return false // who reads on would not know
	case r.s.e.relief.eager:
		return true
	case r.s.read.waiting():
		return busy && mean < shortInCrowd
	default:
		return busy && mean < shortAlone
	}
}

// note counts a message.
func (r *reading) note() {
	now := r.s.heard.last()
	if now-r.last > burstGap {
		r.burst = 0
	}
	r.last = now
	r.burst++
}

// run runs a handler on the reader's goroutine, which may not be the reader any more
// when that ends.
func (r *reading) run(in *inbound) {
	r.route = in.route
	lent := r.state.Add(1)
	if !r.watch.Load() {
		r.s.e.relief.add(r)
	}
	returned := false
	defer func() {
		next := lent + 1
		if !returned {
			next = passedOn // a handler has ended its goroutine
		}
		if r.state.CompareAndSwap(lent, next) && !returned {
			r.passOn()
		}
	}()
	in.run()
	returned = true
}

// passOn has another goroutine read on. The state must be passedOn.
func (r *reading) passOn() {
	s := r.s
	s.reading = &reading{s: s}
	s.e.group.Go("session", func(context.Context) { s.readOn() })
}

// passed tells whether somebody else reads now.
func (r *reading) passed() bool { return r.state.Load() == passedOn }

// relief watches the readers that run handlers. While there are such it has a goroutine,
// for which the endpoint's group waits.
type relief struct {
	start func(run func(context.Context))
	eager bool // tests have readers run whatever they can

	mu       sync.Mutex
	readings []*reading
}

// add has a reader watched.
func (f *relief) add(r *reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.watch.Load() {
		return
	}
	r.watch.Store(true)
	r.seen, r.quiet = passedOn, 0 // so that the next look, which may be soon, relieves nobody
	f.readings = append(f.readings, r)
	if len(f.readings) == 1 {
		f.start(f.run)
	}
}

// run looks until nobody is watched. It goes on when the endpoint closes, because a
// session ends with its reader only.
func (f *relief) run(context.Context) {
	tick := time.NewTicker(reliefTime)
	defer tick.Stop()
	for range tick.C {
		if !f.look() {
			return
		}
	}
}

// look relieves the readers that have been busy with one handler since the last look. It
// is false when nobody is left.
func (f *relief) look() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.readings[:0]
	for _, r := range f.readings {
		if r.relieve() {
			kept = append(kept, r)
		}
	}
	clear(f.readings[len(kept):])
	f.readings = kept
	return len(kept) > 0
}

// relieve tells whether the reader has to be watched further.
func (r *reading) relieve() bool {
	now := r.state.Load()
	switch {
	case now == passedOn:
		return false
	case now != r.seen:
		r.seen, r.quiet = now, 0
		return true
	case lending(now):
		if !r.state.CompareAndSwap(now, passedOn) {
			return true
		}
		r.route.pace.tooLong()
		r.s.e.counters.reliefs.Add(1)
		r.passOn()
		return false
	}
	if r.quiet++; r.quiet < watchedFor {
		return true
	}
	r.watch.Store(false)
	if r.state.Load() != now {
		r.watch.Store(true) // it has just begun and has seen that it is watched
		return true
	}
	return false
}

// pace is how long handlers of a route take on average, the later ones counting more.
type pace struct{ nanoseconds atomic.Int64 }

const (
	// unknownPace is that of a route which has no messages yet; it takes some hundred to
	// become one of short handlers.
	unknownPace = time.Millisecond
	// paceMemory is for how many of those that are timed the average is.
	paceMemory = 8
)

func (p *pace) mean() time.Duration { return time.Duration(p.nanoseconds.Load()) }

// took takes in a handler that was timed, which one of burstLength is.
func (p *pace) took(d time.Duration) { p.add(d, paceMemory) }

// tooLong takes in one that was relieved, as all are that take so long.
func (p *pace) tooLong() { p.add(2*reliefTime, paceMemory*burstLength) }

// add may lose one of two that come at once.
func (p *pace) add(d time.Duration, memory int64) {
	mean := p.nanoseconds.Load()
	p.nanoseconds.Store(mean + (int64(d)-mean)/memory)
}
