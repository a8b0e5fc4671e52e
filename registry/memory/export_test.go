package memory

import (
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/registry"
)

// Client is a registry that can be cut off from its store.
type Client struct {
	*Registry
	link *link
}

// Connect opens one.
func Connect(s *Store, ttl time.Duration) *Client {
	l := &link{Store: s}
	return &Client{open(l, ttl), l}
}

// Cut implements registrytest.Cutter.
func (c *Client) Cut(off bool) { c.link.off.Store(off) }

// Size is how many leases there are, expired ones too.
func (s *Store) Size() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leases := range s.services {
		n += len(leases)
	}
	return n
}

type link struct {
	*Store
	off atomic.Bool
}

func (l *link) put(service string, n registry.Node, by *owner, ttl time.Duration) error {
	if l.off.Load() {
		return registry.ErrUnavailable
	}
	return l.Store.put(service, n, by, ttl)
}

func (l *link) drop(service, id string, by *owner) error {
	if l.off.Load() {
		return registry.ErrUnavailable
	}
	return l.Store.drop(service, id, by)
}

func (l *link) list(service string) (view, error) {
	if l.off.Load() {
		return view{}, registry.ErrUnavailable
	}
	return l.Store.list(service)
}
