package filter

import (
	"errors"
	"fmt"
)

// Filter is a change of bytes that can be undone. It never changes src, and dst and
// src do not overlap. After an error the result is dst as it was.
type Filter interface {
	ID() byte     // travels with each message
	Name() string // for configuration and logs
	// AppendPack appends the changed form of src.
	AppendPack(dst, src []byte) ([]byte, error)
	// AppendUnpack appends what src was before. It gives up with [ErrTooLarge], before
	// it has the memory, when that is more than limit bytes; 0 is no limit.
	AppendUnpack(dst, src []byte, limit int) ([]byte, error)
}

// IDs of the filters that every implementation of the protocols knows.
const (
	IDMD5  byte = '5'
	IDGzip byte = 'z'
	IDAES  byte = 'a'
)

// IDs of filters that older implementations do not have: they close the session, so
// use them only with peers that are known to have them.
const (
	IDZstd   byte = 'Z'
	IDSnappy byte = 'S'
	IDAESGCM byte = 'g'
)

// ErrTooLarge is what a Filter wraps when its result exceeds the limit.
var ErrTooLarge = errors.New("message exceeds the limit")

// Registry is an unchanging set of filters. A nil *Registry has none.
type Registry struct {
	*set
	allowed func() bool // nil is always
}

type set struct {
	list []Filter
	byID [256]Filter
}

// ErrNotAllowed is why a gated registry does not unpack.
var ErrNotAllowed = errors.New("no filters are allowed yet")

// Gated gives the same set, which packs and unpacks only while allowed returns true:
// before a peer has shown who it is, its messages must not cost more than their bytes.
func (r *Registry) Gated(allowed func() bool) *Registry {
	if r == nil {
		return nil
	}
	return &Registry{set: r.set, allowed: allowed}
}

// NewRegistry checks that ids and names are unique, and names there.
func NewRegistry(filters ...Filter) (*Registry, error) {
	r := &Registry{set: &set{list: append([]Filter(nil), filters...)}}
	names := make(map[string]byte)
	for _, f := range filters {
		if f == nil || f.Name() == "" {
			return nil, fmt.Errorf("cannot register filter %v: it needs a name", f)
		}
		if old := r.byID[f.ID()]; old != nil {
			return nil, fmt.Errorf("cannot register filter %q: id %q is taken by %q", f.Name(), f.ID(), old.Name())
		}
		if id, taken := names[f.Name()]; taken {
			return nil, fmt.Errorf("cannot register filter %q twice: it has id %q already", f.Name(), id)
		}
		r.byID[f.ID()], names[f.Name()] = f, f.ID()
	}
	return r, nil
}

// Lookup finds a filter by id.
func (r *Registry) Lookup(id byte) (Filter, bool) {
	if r == nil {
		return nil, false
	}
	f := r.byID[id]
	return f, f != nil
}

// Named finds a filter by name.
func (r *Registry) Named(name string) (Filter, bool) {
	if r == nil {
		return nil, false
	}
	for _, f := range r.list {
		if f.Name() == name {
			return f, true
		}
	}
	return nil, false
}

// pipe finds all filters of a message.
func (r *Registry) pipe(ids []byte) ([]Filter, error) {
	if len(ids) > 0 && r != nil && r.allowed != nil && !r.allowed() {
		return nil, ErrNotAllowed
	}
	filters := make([]Filter, len(ids))
	for i, id := range ids {
		f, ok := r.Lookup(id)
		if !ok {
			return nil, fmt.Errorf("filter %q is not registered", id)
		}
		filters[i] = f
	}
	return filters, nil
}

// AppendPack appends src, changed by the filters from the last to the first. After
// an error the result is dst as it was.
func (r *Registry) AppendPack(dst, src, ids []byte) ([]byte, error) {
	filters, err := r.pipe(ids)
	if err != nil {
		return dst, err
	}
	for i := len(filters) - 1; i > 0; i-- {
		if src, err = filters[i].AppendPack(nil, src); err != nil {
			return dst, fmt.Errorf("filter %s: %w", filters[i].Name(), err)
		}
	}
	if len(filters) == 0 {
		return append(dst, src...), nil
	}
	out, err := filters[0].AppendPack(dst, src)
	if err != nil {
		return dst, fmt.Errorf("filter %s: %w", filters[0].Name(), err)
	}
	return out, nil
}

// pipeShare is how many times the limit all steps of a pipe may yield together: up to
// 255 of them, each as long as the limit allows, would take a reader seconds for a
// message of a few bytes.
const pipeShare = 8

// Unpack undoes the filters from the first to the last. The result of each has at
// most limit bytes, and all together have eight times as many at most; 0 is no limit.
// Without filters the result is src itself.
func (r *Registry) Unpack(src, ids []byte, limit int) ([]byte, error) {
	filters, err := r.pipe(ids)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, f := range filters {
		if src, err = f.AppendUnpack(nil, src, limit); err != nil {
			return nil, fmt.Errorf("filter %s: %w", f.Name(), err)
		}
		if total += len(src); limit > 0 && total/pipeShare > limit {
			return nil, fmt.Errorf("filters: all steps have more than %d times %d bytes: %w", pipeShare, limit, ErrTooLarge)
		}
	}
	return src, nil
}
