package securebody

import (
	"container/list"
	"crypto/cipher"
	"fmt"
	"sync"
	"time"
)

// senders are those whose messages came in lately, with what was seen of them. A message
// is fresh if its sender's window has not seen it, or if its sender is not known and its
// time is about now: a sender is forgotten only when all that it has sent is older than
// that.
type senders struct {
	tolerance time.Duration
	most      int
	now       func() time.Time

	mu     sync.Mutex
	known  map[senderID]*known
	recent list.List // of *known, the one heard of last is the last
	floor  int64     // what unknown senders sent up to then is not fresh, in milliseconds
}

// known is one sender.
type known struct {
	id     senderID
	oldest int64 // what it sent before may have been seen by one that was forgotten
	latest int64 // the highest time that it sent, in milliseconds
	seen   window
	key    *key
	aead   cipher.AEAD // of the key
	place  *list.Element
}

func newSenders(tolerance time.Duration, most int) *senders {
	return &senders{tolerance: tolerance, most: most, now: time.Now, known: make(map[senderID]*known)}
}

// aead is what opens messages of a sender. It is derived anew for one that is not known:
// whoever has no key shall not make us remember anything.
func (s *senders) aead(k *key, id senderID) (cipher.AEAD, error) {
	s.mu.Lock()
	if e := s.known[id]; e != nil && e.key == k {
		defer s.mu.Unlock()
		return e.aead, nil
	}
	s.mu.Unlock()
	return k.aead(id)
}

// take takes note of a message that was authenticated; its error says why it is not fresh.
func (s *senders) take(h head, k *key, aead cipher.AEAD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	oldest, newest := now.Add(-s.tolerance).UnixMilli(), now.Add(s.tolerance).UnixMilli()
	s.forget(oldest)
	e := s.known[h.sender]
	if e != nil {
		oldest = e.oldest
	} else {
		oldest = max(oldest, s.floor+1)
	}
	if h.time < oldest || h.time > newest {
		return fmt.Errorf("the message is not of now: it says %v", time.UnixMilli(h.time).UTC().Format(time.RFC3339))
	}
	if e == nil {
		e = s.add(h.sender, oldest)
	}
	e.key, e.aead, e.latest = k, aead, max(e.latest, h.time)
	s.recent.MoveToBack(e.place)
	if !e.seen.take(h.counter) {
		return fmt.Errorf("the message was seen before")
	}
	return nil
}

func (s *senders) add(id senderID, oldest int64) *known {
	for len(s.known) >= s.most {
		e, _ := s.recent.Front().Value.(*known)
		s.floor = max(s.floor, e.latest)
		s.remove(e)
	}
	e := &known{id: id, oldest: oldest}
	e.place = s.recent.PushBack(e)
	s.known[id] = e
	return e
}

// forget drops those all of whose messages are older than that.
func (s *senders) forget(oldest int64) {
	for {
		front := s.recent.Front()
		if front == nil {
			return
		}
		e, _ := front.Value.(*known)
		if e.latest >= oldest {
			return
		}
		s.remove(e)
	}
}

func (s *senders) remove(e *known) {
	s.recent.Remove(e.place)
	delete(s.known, e.id)
}
