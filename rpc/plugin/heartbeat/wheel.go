package heartbeat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/rpc"
)

const (
	tick     = 250 * time.Millisecond // how late a look may be
	slots    = 256                    // what lies further ahead than all of them is looked at in between
	mostWait = 4096                   // questions that wait for peers at once
	stopTime = 10 * time.Second       // for what still waits when the last endpoint closes
)

// wheel looks at sessions from time to time. They lie in slots of time, so that it
// costs nothing to have those that are not due.
type wheel struct {
	// look says when to look again; 0 is never. It must not wait. The lock is held.
	look func(now time.Time, b *beat) time.Duration

	waiting atomic.Int64 // questions

	mu        sync.Mutex
	endpoints map[*rpc.Endpoint]struct{} // that are open
	group     *group.Group               // nil while none is
	start     time.Time
	turned    int64 // slots since the start
	slots     [slots][]*beat
	beats     map[rpc.BaseSession]*beat
}

// beat is one session on a wheel. The wheel's lock guards it.
type beat struct {
	session *rpc.Session // nil once it is off the wheel
	rate    time.Duration
	asked   *question // the last one; nil is none
}

// question is a message to a peer that may have to wait.
type question struct {
	at     time.Time
	cancel context.CancelFunc
	over   atomic.Bool // it waits no more
}

// open starts the wheel with the first endpoint.
func (w *wheel) open(e *rpc.Endpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.group == nil {
		w.endpoints = make(map[*rpc.Endpoint]struct{})
		w.beats = make(map[rpc.BaseSession]*beat)
		w.start, w.turned = time.Now(), 0
		w.group = group.New(context.Background(), nil)
		w.group.Go("heartbeat", w.turn)
	}
	w.endpoints[e] = struct{}{}
}

// close stops the wheel with the last endpoint, and waits.
func (w *wheel) close(e *rpc.Endpoint) error {
	w.mu.Lock()
	delete(w.endpoints, e)
	g := w.group
	if g == nil || len(w.endpoints) > 0 {
		w.mu.Unlock()
		return nil
	}
	w.group, w.beats, w.slots = nil, nil, [slots][]*beat{}
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return g.Stop(ctx)
}

func (w *wheel) turn(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.step(ctx)
		}
	}
}

// step looks at what has become due. After a pause of the process that may be more
// than one slot.
func (w *wheel) step(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // the wheel may be another one's by now
	}
	now := time.Now()
	target := w.turns(now)
	w.turned = max(w.turned, target-slots)
	for w.turned < target {
		w.turned++
		due := w.slots[w.turned%slots]
		w.slots[w.turned%slots] = nil
		for _, b := range due {
			if b.session == nil {
				continue
			}
			again := w.look(now, b)
			if again <= 0 {
				w.remove(b)
				continue
			}
			if b.asked != nil && now.Sub(b.asked.at) >= b.rate {
				b.stopAsking() // others need its place
			}
			w.place(now.Add(again), b)
		}
	}
}

func (w *wheel) turns(at time.Time) int64 { return int64(at.Sub(w.start) / tick) }

// place puts a beat where it is looked at no earlier than at a time, or in the last
// slot.
func (w *wheel) place(at time.Time, b *beat) {
	turn := min(max(w.turns(at.Add(tick-1)), w.turned+1), w.turned+slots-1)
	w.slots[turn%slots] = append(w.slots[turn%slots], b)
}

// watch puts a session on the wheel, or changes its rate.
func (w *wheel) watch(s *rpc.Session, rate time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.beats[s]
	if w.group == nil || old != nil && old.rate == rate {
		return
	}
	if old != nil {
		w.remove(old)
	}
	b := &beat{session: s, rate: rate}
	w.beats[s] = b
	w.place(time.Now().Add(rate), b)
}

func (w *wheel) watches(s rpc.BaseSession) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.beats[s] != nil
}

// forget takes a session off the wheel.
func (w *wheel) forget(s rpc.BaseSession) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.beats[s]; b != nil {
		w.remove(b)
	}
}

// remove leaves the beat in its slot, empty. The lock is held.
func (w *wheel) remove(b *beat) {
	delete(w.beats, b.session)
	b.stopAsking()
	b.session = nil
}

// ask sends the peer something by f, whose last question is then over. It is false if
// too many wait. The lock is held.
func (w *wheel) ask(now time.Time, b *beat, f func(ctx context.Context, s *rpc.Session) (answered bool)) bool {
	b.stopAsking()
	if w.waiting.Add(1) > mostWait {
		w.waiting.Add(-1)
		return false
	}
	ctx, cancel := context.WithCancel(w.group.Context())
	q, s := &question{at: now, cancel: cancel}, b.session
	b.asked = q
	w.group.Go("ask", func(context.Context) {
		defer w.waiting.Add(-1)
		defer cancel()
		q.over.Store(f(ctx, s))
	})
	return true
}

func (b *beat) stopAsking() {
	if b.asked != nil {
		b.asked.cancel()
	}
}

// askedInVain tells whether the peer was asked for long enough and has not been heard
// since. The time is what a process that was stopped itself gives its peers.
func (b *beat) askedInVain(now time.Time) bool {
	return b.asked != nil && b.asked.at.After(b.session.LastRead()) && now.Sub(b.asked.at) >= b.rate/2
}

// end closes the session elsewhere: even that can wait for a peer. The lock is held.
func (w *wheel) end(b *beat) {
	s, why := b.session, silence(2*b.rate)
	w.group.Go("close", func(context.Context) { s.CloseFor(why) })
}
