package message

import (
	"cmp"
	"iter"
	"slices"
)

// Meta is text by name, kept in the order of the names, which is the order on
// the wire. The zero value is empty and ready.
type Meta struct {
	pairs []pair // sorted by key, no key twice
}

type pair struct{ key, value string }

func byKey(p pair, key string) int { return cmp.Compare(p.key, key) }

// Len is the number of names.
func (m *Meta) Len() int { return len(m.pairs) }

// Lookup gives the value of key and whether there is one.
func (m *Meta) Lookup(key string) (string, bool) {
	i, found := slices.BinarySearchFunc(m.pairs, key, byKey)
	if !found {
		return "", false
	}
	return m.pairs[i].value, true
}

// Value is Lookup for which absent and empty are the same.
func (m *Meta) Value(key string) string {
	v, _ := m.Lookup(key)
	return v
}

// Set adds the pair or replaces the value.
func (m *Meta) Set(key, value string) {
	i, found := slices.BinarySearchFunc(m.pairs, key, byKey)
	if found {
		m.pairs[i].value = value
		return
	}
	m.pairs = slices.Insert(m.pairs, i, pair{key, value})
}

// Delete removes key if it is there.
func (m *Meta) Delete(key string) {
	if i, found := slices.BinarySearchFunc(m.pairs, key, byKey); found {
		m.pairs = slices.Delete(m.pairs, i, i+1)
	}
}

// All walks the pairs in the order of their names.
func (m *Meta) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, p := range m.pairs {
			if !yield(p.key, p.value) {
				return
			}
		}
	}
}

// Clear removes all and keeps the memory.
func (m *Meta) Clear() {
	clear(m.pairs)
	m.pairs = m.pairs[:0]
}

// Clone returns a copy that shares no memory.
func (m *Meta) Clone() Meta { return Meta{pairs: slices.Clone(m.pairs)} }

// normalise sorts the pairs; of two with the same name the later one wins.
func (m *Meta) normalise() {
	slices.SortStableFunc(m.pairs, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	kept := m.pairs[:0]
	for i, p := range m.pairs {
		if i+1 < len(m.pairs) && m.pairs[i+1].key == p.key {
			continue
		}
		kept = append(kept, p)
	}
	clear(m.pairs[len(kept):])
	m.pairs = kept
}
