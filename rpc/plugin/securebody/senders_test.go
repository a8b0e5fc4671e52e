package securebody

import (
	"encoding/binary"
	"testing"
	"time"
)

// watch is a clock that the test turns.
type watch struct{ time time.Time }

func (w *watch) now() time.Time { return w.time }

func newWatched(most int) (*senders, *watch) {
	w := &watch{time.UnixMilli(1_000_000_000)}
	s := newSenders(time.Minute, most)
	s.now = w.now
	return s, w
}

func sent(sender byte, counter uint64, at time.Time) head {
	return head{sender: senderID{sender}, counter: counter, time: at.UnixMilli()}
}

func (s *senders) fresh(t *testing.T, h head, want bool) {
	t.Helper()
	if err := s.take(h, nil, nil); (err == nil) != want {
		t.Errorf("sender %d, number %d, at %d: %v", h.sender[0], h.counter, h.time, err)
	}
}

func TestMessageIsFreshOnce(t *testing.T) {
	s, w := newWatched(10)
	for _, n := range []uint64{3, 1, 2, 7} {
		s.fresh(t, sent(1, n, w.time), true)
	}
	for _, n := range []uint64{1, 2, 3, 7, 0} {
		s.fresh(t, sent(1, n, w.time), false)
	}
	s.fresh(t, sent(2, 1, w.time), true)
}

func TestClocksMayDifferByTheTolerance(t *testing.T) {
	s, w := newWatched(100)
	for i, test := range []struct {
		differs time.Duration
		ok      bool
	}{{0, true}, {time.Minute, true}, {-time.Minute, true}, {time.Minute + time.Millisecond, false}, {-time.Minute - time.Millisecond, false}} {
		s.fresh(t, sent(byte(i), 1, w.time.Add(test.differs)), test.ok)
	}
	// A sender that is known may be late, as a message may wait in a queue.
	s.fresh(t, sent(0, 5, w.time), true)
	w.time = w.time.Add(50 * time.Second)
	s.fresh(t, sent(0, 6, w.time), true)
	w.time = w.time.Add(50 * time.Second)
	s.fresh(t, sent(0, 4, w.time.Add(-100*time.Second)), true)
	s.fresh(t, sent(0, 7, w.time.Add(time.Hour)), false)
}

// TestSenderThatWasForgottenBringsNothingBack: neither what it has sent last nor, once it
// sends again, what it has sent before.
func TestSenderThatWasForgottenBringsNothingBack(t *testing.T) {
	s, w := newWatched(10)
	start := w.time
	for n := range uint64(100) {
		s.fresh(t, sent(1, n+1, start.Add(time.Duration(n)*time.Millisecond)), true)
	}
	for step := range 200 {
		w.time = start.Add(time.Duration(step) * time.Second)
		for _, n := range []uint64{1, 50, 100} {
			s.fresh(t, sent(1, n, start.Add(time.Duration(n-1)*time.Millisecond)), false)
		}
		s.fresh(t, sent(2, uint64(step+1), w.time), true) // which lets the others be forgotten
	}
	if s.known[senderID{1}] != nil {
		t.Fatal("the sender is still known")
	}
	s.fresh(t, sent(1, 200, w.time), true)
	for n := range uint64(100) {
		s.fresh(t, sent(1, n+1, start.Add(time.Duration(n)*time.Millisecond)), false)
	}
}

// TestTooManySendersOpenNoDoor: whose place is needed is forgotten, with all that is as
// old as what it has sent.
func TestTooManySendersOpenNoDoor(t *testing.T) {
	s, w := newWatched(10)
	var all []head
	for n := range 1000 {
		w.time = w.time.Add(time.Millisecond)
		h := sent(0, 1, w.time)
		binary.BigEndian.PutUint32(h.sender[4:], uint32(n))
		s.fresh(t, h, true)
		all = append(all, h)
		if len(s.known) > 10 || s.recent.Len() != len(s.known) {
			t.Fatalf("%d senders are known", len(s.known))
		}
	}
	for _, h := range all {
		s.fresh(t, h, false)
	}
	// The first one goes on: what it sent before stays refused.
	next := all[0]
	next.counter, next.time = 2, w.time.Add(time.Millisecond).UnixMilli()
	s.fresh(t, next, true)
	s.fresh(t, all[0], false)
}

func TestKeyOfASenderIsKeptOnceItHasProvedItself(t *testing.T) {
	r, err := newKeyring([]Key{{Secret: make([]byte, 16)}, {ID: "other", Secret: make([]byte, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	s, w := newWatched(10)
	first, err := s.aead(r.list[0], senderID{1})
	if err != nil || len(s.known) != 0 {
		t.Fatalf("%d senders are known, %v", len(s.known), err)
	}
	if err := s.take(sent(1, 1, w.time), r.list[0], first); err != nil {
		t.Fatal(err)
	}
	if again, err := s.aead(r.list[0], senderID{1}); err != nil || again != first {
		t.Errorf("derived again, %v", err)
	}
	if other, err := s.aead(r.list[1], senderID{1}); err != nil || other == first {
		t.Errorf("the other key gives the same, %v", err)
	}
}

// TestSenderTakesANewNameBeforeItsNumbersEnd, and with it a new derived key.
func TestSenderTakesANewNameBeforeItsNumbersEnd(t *testing.T) {
	r, err := newKeyring([]Key{{Secret: make([]byte, 16)}})
	if err != nil {
		t.Fatal(err)
	}
	var s sender
	first, aead, err := s.next(r.first(), time.UnixMilli(5))
	if err != nil || first.counter != 1 || first.time != 5 || first.sender == (senderID{}) {
		t.Fatalf("got %+v, %v", first, err)
	}
	s.counter = maxCounter - 1
	last, same, err := s.next(r.first(), time.UnixMilli(5))
	if err != nil || last.counter != maxCounter || last.sender != first.sender || same != aead {
		t.Errorf("got %+v, %v", last, err)
	}
	fresh, other, err := s.next(r.first(), time.UnixMilli(5))
	if err != nil || fresh.counter != 1 || fresh.sender == first.sender || other == aead {
		t.Errorf("got %+v, %v", fresh, err)
	}
}
