// Package filter changes the bytes of a message on their way: compresses them,
// encrypts them, adds a checksum.
//
// A [Filter] is one such change, with an id that travels; a [Registry] is the set
// that one endpoint knows, a plain value without global state. A message names its
// filters in the order in which the reader undoes them, so the writer applies the
// last one first. What a protocol lets them change is its own affair.
//
// Filters are in packages below, one each, so that a program has those alone that it
// uses. This package imports nothing of ours. Filters and registries are safe for
// concurrent use.
package filter
