package securebody

import (
	"crypto/cipher"
	"crypto/rand"
	"sync"
	"time"

	"github.com/dserver/dserver/rpc"
	"github.com/dserver/dserver/rpc/status"
)

// sender is ours, for one session.
type sender struct {
	mu      sync.Mutex
	id      senderID
	counter uint64
	key     *key
	aead    cipher.AEAD // of the key and the id
}

// next numbers a message and gives what seals it.
func (s *sender) next(k *key, now time.Time) (h head, aead cipher.AEAD, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counter == 0 || s.counter == maxCounter {
		rand.Read(s.id[:]) // never fails
		s.counter, s.key = 0, nil
	}
	if s.key != k {
		if s.aead, err = k.aead(s.id); err != nil {
			return h, nil, err
		}
		s.key = k
	}
	s.counter++
	return head{sender: s.id, counter: s.counter, time: now.UnixMilli()}, s.aead, nil
}

// ours are the senders of all sessions. They are not kept in the attributes of a session,
// which those of a client share.
type ours struct {
	mu        sync.Mutex
	bySession map[*rpc.Session]*sender
}

// of gives the sender of a session that has not ended.
func (o *ours) of(s *rpc.Session) (*sender, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if found := o.bySession[s]; found != nil {
		return found, nil
	}
	// Nobody would take it away again.
	if err := s.Err(); err != nil {
		return nil, status.Newf(status.ConnectionClosed, "%w", err).WithRetry()
	}
	if o.bySession == nil {
		o.bySession = make(map[*rpc.Session]*sender)
	}
	made := new(sender)
	o.bySession[s] = made
	return made, nil
}

func (o *ours) end(s *rpc.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.bySession, s)
}
