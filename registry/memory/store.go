package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/registry"
)

// Store holds the nodes of all services. Make one with [NewStore].
type Store struct {
	mu       sync.Mutex
	serial   uint64
	services map[string]map[string]*lease // by service and node id; none is empty
	changed  chan struct{}                // closed when any node came, went or changed
	next     time.Time                    // no lease expires before
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{services: make(map[string]map[string]*lease), changed: make(chan struct{})}
}

// lease is a node until it expires.
type lease struct {
	node    registry.Node
	owner   *owner
	expires time.Time
}

// owner is who registered a node. The store numbers owners as it first hears of
// them; of two with the same node id the later one has it.
type owner struct {
	serial uint64 // guarded by the store's mutex
}

// view is one service at one time.
type view struct {
	nodes   []registry.Node // sorted, the caller's own
	expires time.Time       // when the first of them will be gone if not renewed
	changed <-chan struct{} // closed when it may have changed otherwise
}

// put sets or renews a lease. The store keeps n, which nobody changes any more.
func (s *Store) put(service string, n registry.Node, by *owner, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if by.serial == 0 {
		s.serial++
		by.serial = s.serial
	}
	held := s.services[service][n.ID]
	if held != nil && held.owner.serial > by.serial {
		return registry.ErrReplaced
	}
	if s.services[service] == nil {
		s.services[service] = make(map[string]*lease)
	}
	expires := time.Now().Add(ttl)
	s.services[service][n.ID] = &lease{node: n, owner: by, expires: expires}
	s.next = earlier(s.next, expires)
	if held == nil || !held.node.Equal(n) {
		s.tell()
	}
	return nil
}

// drop removes a lease if it is still its owner's.
func (s *Store) drop(service, id string, by *owner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.services[service][id]; held != nil && held.owner == by {
		s.remove(service, id)
		s.tell()
	}
	return nil
}

// list returns the nodes of a service.
func (s *Store) list(service string) (view, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	v := view{changed: s.changed}
	for _, l := range s.services[service] {
		v.nodes = append(v.nodes, l.node.Clone())
		v.expires = earlier(v.expires, l.expires)
	}
	slices.SortFunc(v.nodes, func(a, b registry.Node) int { return cmp.Compare(a.ID, b.ID) })
	return v, nil
}

// expire forgets what was not renewed. Everybody who uses the store does it, of
// all services, so that nothing stays that nobody asks for.
func (s *Store) expire() {
	now, gone := time.Now(), false
	if s.next.After(now) {
		return
	}
	s.next = time.Time{}
	for service, leases := range s.services {
		for id, l := range leases {
			if !l.expires.After(now) {
				s.remove(service, id)
				gone = true
				continue
			}
			s.next = earlier(s.next, l.expires)
		}
	}
	if gone {
		s.tell()
	}
}

func (s *Store) remove(service, id string) {
	delete(s.services[service], id)
	if len(s.services[service]) == 0 {
		delete(s.services, service)
	}
}

func (s *Store) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// earlier takes a zero time for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
