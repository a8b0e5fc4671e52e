package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestQuantiles compares the histogram with a list that is sorted.
func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 100, 10_000} {
		var h, other histogram
		var list []time.Duration
		for i := range n {
			d := time.Duration(math.Exp(r.Float64() * 24)) // up to 26 s
			list = append(list, d)
			if i%2 == 0 {
				h.add(d)
			} else {
				other.add(d)
			}
		}
		h.merge(&other)
		slices.Sort(list)
		if h.total != int64(n) || h.max != list[n-1] {
			t.Errorf("%d times up to %v, want %d up to %v", h.total, h.max, n, list[n-1])
		}
		for _, part := range []float64{0, 0.25, 0.5, 0.99, 0.999, 1} {
			want := list[int(part*float64(n-1))]
			got := h.quantile(part)
			if diff := math.Abs(float64(got - want)); diff > float64(want)/steps+1 {
				t.Errorf("of %d times, %v are below %v, want %v", n, part, got, want)
			}
		}
	}
}

func TestAnEmptyHistogram(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("half of nothing is below %v", got)
	}
}

// TestSlots: no time is lost, slots follow one another, and each has its middle in it.
func TestSlots(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 4096; d++ {
		s := slot(d)
		if s != last && s != last+1 {
			t.Fatalf("%v is in slot %d after slot %d", d, s, last)
		}
		last = s
	}
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, time.Microsecond, time.Millisecond, time.Minute} {
		if s := slot(d); slot(middle(s)) != s {
			t.Errorf("%v is in slot %d, its middle %v in slot %d", d, s, middle(s), slot(middle(s)))
		}
	}
	var h histogram
	for _, d := range []time.Duration{-1, time.Hour, math.MaxInt64} {
		h.add(d)
	}
	if h.total != 3 || h.max != math.MaxInt64 {
		t.Errorf("%d times up to %v", h.total, h.max)
	}
}
