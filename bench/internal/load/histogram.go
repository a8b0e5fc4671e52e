package load

import (
	"math/bits"
	"time"
)

const (
	stepBits = 6 // 64 steps to each doubling, so that a value is right to 1.6 %
	steps    = 1 << stepBits
	octaves  = 32 // up to two minutes
)

// histogram counts times by their length. The zero value is empty.
type histogram struct {
	counts [octaves * steps]uint32
	total  int64
	max    time.Duration
}

// add counts d.
func (h *histogram) add(d time.Duration) {
	h.counts[min(slot(d), len(h.counts)-1)]++
	h.total++
	h.max = max(h.max, d)
}

// slot is d itself in the first octave, the first bits of d and their place in others.
func slot(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < steps {
		return int(v)
	}
	shift := bits.Len64(v) - stepBits - 1
	return (shift+1)*steps + int(v>>shift) - steps
}

// middle is the middle of what a slot counts.
func middle(slot int) time.Duration {
	if slot < steps {
		return time.Duration(slot)
	}
	shift := slot/steps - 1
	low := uint64(slot%steps+steps) << shift
	return time.Duration(low + (uint64(1)<<shift)/2)
}

// merge adds all that o has counted.
func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// quantile gives the time that a part of all, between 0 and 1, did not exceed; 0 if there
// are none.
func (h *histogram) quantile(part float64) time.Duration {
	rank := int64(part*float64(h.total-1)) + 1
	for i, n := range h.counts {
		if rank -= int64(n); n > 0 && rank <= 0 {
			return min(middle(i), h.max)
		}
	}
	return h.max
}
