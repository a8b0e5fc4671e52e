package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/dserver/dserver/internal/group"
	"github.com/dserver/dserver/registry"
)

const (
	defaultTTL = 15 * time.Second
	minTTL     = 30 * time.Millisecond
	renewals   = 3 // in a time to live
)

// Options of a registry. The zero value works.
type Options struct {
	Store *Store        // where the nodes are kept; by default one that nobody else uses
	TTL   time.Duration // until a node is forgotten that is not renewed; 15 s by default, 30 ms at least
}

// backend is what a registry asks of a Store; in tests it fails at times.
type backend interface {
	put(service string, n registry.Node, by *owner, ttl time.Duration) error
	drop(service, id string, by *owner) error
	list(service string) (view, error)
}

// Registry is a [registry.Registry] inside one process. Make one with [New].
type Registry struct {
	store   backend
	ttl     time.Duration
	renewal time.Duration
	workers *group.Group // ends when the registry is closed

	mu     sync.Mutex
	closed bool
	live   []*registration // in the order in which they were made
}

var _ registry.Registry = (*Registry)(nil)

// New returns a registry that has to be closed.
func New(o Options) (*Registry, error) {
	if o.TTL != 0 && o.TTL < minTTL {
		return nil, fmt.Errorf("cannot make a registry: a time to live of %v is less than %v", o.TTL, minTTL)
	}
	if o.Store == nil {
		o.Store = NewStore()
	}
	return open(o.Store, cmp.Or(o.TTL, defaultTTL)), nil
}

func open(b backend, ttl time.Duration) *Registry {
	return &Registry{store: b, ttl: ttl, renewal: ttl / renewals, workers: group.New(context.Background(), nil)}
}

// Register implements [registry.Registry].
func (r *Registry) Register(ctx context.Context, service string, n registry.Node) (registry.Registration, error) {
	n, err := registry.Complete(service, n)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot register: %w", err)
	}
	g := newRegistration(r, service, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("cannot register: %w", registry.ErrClosed)
	}
	g.renew()
	r.live = append(r.live, g)
	r.workers.Go("registration of "+n.ID, g.keep)
	return g, nil
}

// Lookup implements [registry.Registry].
func (r *Registry) Lookup(ctx context.Context, service string) (registry.Service, error) {
	err := registry.CheckName(service)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = r.alive()
	}
	var v view
	if err == nil {
		v, err = r.store.list(service)
	}
	if err != nil {
		return registry.Service{}, fmt.Errorf("cannot look up: %w", err)
	}
	return registry.Service{Name: service, Nodes: v.nodes}, nil
}

// Watch implements [registry.Registry].
func (r *Registry) Watch(ctx context.Context, service string) iter.Seq2[registry.Service, error] {
	return func(yield func(registry.Service, error) bool) {
		if err := registry.CheckName(service); err != nil {
			yield(registry.Service{}, fmt.Errorf("cannot watch: %w", err))
			return
		}
		var last *registry.Service // what the caller knows; nil at first and in an outage
		failing := false
		for ctx.Err() == nil {
			if err := r.alive(); err != nil {
				yield(registry.Service{}, fmt.Errorf("cannot watch: %w", err))
				return
			}
			v, err := r.store.list(service)
			now := registry.Service{Name: service, Nodes: v.nodes}
			goOn := true
			switch {
			case err != nil && !failing:
				last, failing = nil, true
				goOn = yield(registry.Service{}, fmt.Errorf("cannot watch: %w", err))
			case err == nil && (last == nil || !last.Equal(now)):
				kept := now.Clone()
				last, failing = &kept, false
				goOn = yield(now, nil)
			}
			if !goOn {
				return
			}
			r.pause(ctx, v)
		}
	}
}

// pause returns when the view may be out of date.
func (r *Registry) pause(ctx context.Context, v view) {
	wait := r.renewal // an outage is noticed, and its end, by asking
	if !v.expires.IsZero() {
		wait = min(wait, time.Until(v.expires))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.workers.Context().Done():
	case <-v.changed:
	case <-timer.C:
	}
}

// alive returns nil or ErrClosed.
func (r *Registry) alive() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return registry.ErrClosed
	}
	return nil
}

// Close implements [registry.Registry].
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	live := slices.Clone(r.live)
	r.mu.Unlock()
	var errs []error
	for _, g := range live {
		errs = append(errs, g.Close(ctx))
	}
	return errors.Join(append(errs, r.workers.Stop(ctx))...)
}

// forget takes a closed registration off the list.
func (r *Registry) forget(g *registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = slices.DeleteFunc(r.live, func(o *registration) bool { return o == g })
}
