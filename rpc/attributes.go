package rpc

import (
	"iter"
	"maps"
	"sync"
)

// Attributes are what an application keeps with a session, by keys of its own as in a
// context.Context. Those of a [Client] move with it from session to session. They may
// be used from any goroutine.
type Attributes struct {
	mu     sync.RWMutex
	values map[any]any
}

// Load gives the value of key.
func (a *Attributes) Load(key any) (value any, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	value, ok = a.values[key]
	return value, ok
}

// Store sets the value of key.
func (a *Attributes) Store(key, value any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.values == nil {
		a.values = make(map[any]any)
	}
	a.values[key] = value
}

// LoadOrStore gives the value of key, which is the given one if there was none.
func (a *Attributes) LoadOrStore(key, value any) (actual any, loaded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, ok := a.values[key]; ok {
		return old, true
	}
	if a.values == nil {
		a.values = make(map[any]any)
	}
	a.values[key] = value
	return value, false
}

// Delete removes key if it is there.
func (a *Attributes) Delete(key any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.values, key)
}

// All walks what was there when it was called, in no order.
func (a *Attributes) All() iter.Seq2[any, any] {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return maps.All(maps.Clone(a.values))
}
