package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dserver/dserver/registry"
)

// registration keeps one node in the store.
type registration struct {
	registry *Registry
	service  string
	node     registry.Node
	owner    owner

	stop  chan struct{} // closed to end keep
	ended chan struct{} // closed when keep has ended

	closing sync.Mutex // held while Close runs
	dropped bool       // the node is deregistered; guarded by closing

	mu      sync.Mutex
	stopped bool
	err     error
	changed chan struct{} // closed when err changes
}

func newRegistration(r *Registry, service string, n registry.Node) *registration {
	return &registration{
		registry: r, service: service, node: n,
		stop: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// keep renews the lease until it is told to stop or somebody else has the node.
func (g *registration) keep(context.Context) {
	defer close(g.ended)
	ticker := time.NewTicker(g.registry.renewal)
	defer ticker.Stop()
	for !errors.Is(g.Err(), registry.ErrReplaced) {
		select {
		case <-g.stop:
			return
		case <-ticker.C:
			g.renew()
		}
	}
}

func (g *registration) renew() {
	err := g.registry.store.put(g.service, g.node, &g.owner, g.registry.ttl)
	if err != nil {
		err = fmt.Errorf("cannot register node %s: %w", g.node.ID, err)
	}
	g.set(err)
}

func (g *registration) set(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return // being closed is the last word
	}
	g.err = err
	close(g.changed)
	g.changed = make(chan struct{})
}

// end makes ErrClosed the last word and tells keep to stop.
func (g *registration) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.stopped = true
	close(g.stop)
	g.err = registry.ErrClosed
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *registration) state() (err error, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err, g.changed
}

// Node implements [registry.Registration].
func (g *registration) Node() registry.Node { return g.node.Clone() }

// Err implements [registry.Registration].
func (g *registration) Err() error {
	err, _ := g.state()
	return err
}

// Wait implements [registry.Registration].
func (g *registration) Wait(ctx context.Context) error {
	for {
		err, changed := g.state()
		if err == nil || errors.Is(err, registry.ErrReplaced) || errors.Is(err, registry.ErrClosed) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// Close implements [registry.Registration].
func (g *registration) Close(context.Context) error {
	g.end()
	<-g.ended // else a renewal could come after the drop
	g.closing.Lock()
	defer g.closing.Unlock()
	if g.dropped {
		return nil
	}
	if err := g.registry.store.drop(g.service, g.node.ID, &g.owner); err != nil {
		return fmt.Errorf("cannot deregister node %s: %w", g.node.ID, err)
	}
	g.dropped = true
	g.registry.forget(g)
	return nil
}
