package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dserver/dserver/rpc/codec"
)

var (
	errShort  = errors.New("the body ends in the middle of a value")
	errC1     = errors.New("byte c1 begins no value")
	errHollow = errors.New("an extension has no bytes")
)

// check looks over a body that must be one value, and gives the places where the bytes
// of extensions begin. It costs the time to read the bytes, and a number for each level
// and extension.
func check(b []byte, l codec.Limits) (extensions []int, err error) {
	size := len(b)
	left := []int{1} // values that are still to come, on each level
	for len(left) > 0 {
		last := len(left) - 1
		if left[last] == 0 {
			left = left[:last]
			continue
		}
		left[last]--
		v, err := cut(b)
		if err != nil {
			return nil, err
		}
		if v.extension > 0 {
			extensions = append(extensions, size-len(b)+v.extension)
		}
		b = b[v.size:]
		if v.items == 0 {
			continue
		}
		if v.elements > l.Elements {
			return nil, fmt.Errorf("an array or map has %d elements, the most is %d", v.elements, l.Elements)
		}
		// Each takes a byte at least.
		if v.items > len(b) {
			return nil, errShort
		}
		if len(left) > l.Depth {
			return nil, fmt.Errorf("more than %d arrays and maps are within each other", l.Depth)
		}
		left = append(left, v.items)
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes are behind the value", len(b))
	}
	return extensions, nil
}

// value is the beginning of one: what lies between it and the next, or the first of
// its items.
type value struct {
	size      int // bytes
	elements  int // of an array, or pairs of a map
	items     int // values that follow and belong to it
	extension int // where its own bytes begin, if it is one
}

// kind is what a first byte from c0 to df begins: a length of so many bytes, then so
// many bytes besides it, and what the length counts.
type kind struct {
	length, fixed int
	counts        unit
}

type unit int

const (
	octets unit = iota
	extension
	elements
	pairs
)

// kinds are those of the bytes c0, c1 and so on.
var kinds = [...]kind{
	{}, {}, {}, {}, // nil, none, false, true
	{length: 1}, {length: 2}, {length: 4}, // bytes
	{1, 1, extension}, {2, 1, extension}, {4, 1, extension},
	{fixed: 4}, {fixed: 8}, // floats
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // unsigned
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // signed
	{0, 2, extension}, {0, 3, extension}, {0, 5, extension}, {0, 9, extension}, {0, 17, extension},
	{length: 1}, {length: 2}, {length: 4}, // texts
	{2, 0, elements}, {4, 0, elements}, {2, 0, pairs}, {4, 0, pairs},
}

// cut reads the beginning of a value.
func cut(b []byte) (value, error) {
	if len(b) == 0 {
		return value{}, errShort
	}
	switch c := b[0]; {
	case c <= 0x7f || c >= 0xe0: // small integers
		return value{size: 1}, nil
	case c <= 0x8f:
		return counted(b, 1, uint64(c&0x0f), pairs)
	case c <= 0x9f:
		return counted(b, 1, uint64(c&0x0f), elements)
	case c <= 0xbf:
		return counted(b, 1, uint64(c&0x1f), octets)
	case c == 0xc1:
		return value{}, errC1
	}
	k := kinds[b[0]-0xc0]
	head := 1 + k.length + k.fixed
	if len(b) < head {
		return value{}, errShort
	}
	var length [8]byte
	copy(length[8-k.length:], b[1:1+k.length])
	v, err := counted(b, head, binary.BigEndian.Uint64(length[:]), k.counts)
	if k.counts == extension && err == nil {
		if v.extension = 2 + k.length; v.extension == v.size { // behind its first byte, length and type
			return value{}, errHollow
		}
	}
	return v, err
}

// counted gives a value with n of what it counts behind its head.
func counted(b []byte, head int, n uint64, counts unit) (value, error) {
	if n > uint64(len(b)-head) {
		return value{}, errShort // of whatever it counts, one takes a byte at least
	}
	switch counts {
	case elements:
		return value{size: head, elements: int(n), items: int(n)}, nil
	case pairs:
		return value{size: head, elements: int(n), items: 2 * int(n)}, nil
	}
	return value{size: head + int(n)}, nil
}
