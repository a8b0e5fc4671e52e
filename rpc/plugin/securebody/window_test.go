package securebody

import (
	"math/rand/v2"
	"testing"
)

func TestWindowTakesEachNumberOnce(t *testing.T) {
	for range 50 {
		var w window
		numbers := rand.Perm(1000)
		for _, n := range numbers {
			if !w.take(uint64(n + 1)) {
				t.Fatalf("%d is new, with gaps %v below %d", n+1, w.gaps, w.highest)
			}
			if w.take(uint64(n + 1)) {
				t.Fatalf("%d is taken twice, with gaps %v below %d", n+1, w.gaps, w.highest)
			}
		}
		if len(w.gaps) != 0 || w.highest != 1000 {
			t.Errorf("gaps %v below %d", w.gaps, w.highest)
		}
		for n := range uint64(1001) {
			if w.take(n) {
				t.Errorf("%d is taken again", n)
			}
		}
	}
}

func TestWindowRefusesWhatIsNoNumber(t *testing.T) {
	var w window
	for _, n := range []uint64{0, maxCounter + 1, 1 << 32, 1<<32 + 1, 1<<64 - 1} {
		if w.take(n) {
			t.Errorf("%d is taken", n)
		}
	}
	if !w.take(maxCounter) || w.take(maxCounter) || !w.take(1) || w.take(1) || !w.take(maxCounter-1) {
		t.Errorf("gaps %v below %d", w.gaps, w.highest)
	}
}

// TestWindowHasNoWidth: one number is missing for a million others.
func TestWindowHasNoWidth(t *testing.T) {
	var w window
	for n := uint64(2); n < 1_000_000; n++ {
		if !w.take(n) {
			t.Fatal(n)
		}
	}
	if len(w.gaps) != 1 || !w.take(1) || w.take(1) {
		t.Errorf("gaps %v", w.gaps)
	}
}

// TestWindowIsBounded: the numbers that are missing for the longest count as seen.
func TestWindowIsBounded(t *testing.T) {
	var w window
	for n := uint64(1); n < 100_000; n += 2 {
		w.take(n)
	}
	if len(w.gaps) != maxGaps || cap(w.gaps) > 4*maxGaps {
		t.Errorf("%d gaps, room for %d", len(w.gaps), cap(w.gaps))
	}
	if w.take(2) || !w.take(99_998) {
		t.Error("the oldest is taken, or the newest is not")
	}
	// A gap that is cut in two is one more.
	var cut window
	cut.take(1_000_000)
	for n := uint64(2); n < 10_000; n += 2 {
		if !cut.take(n) {
			t.Fatal(n)
		}
	}
	if len(cut.gaps) != maxGaps {
		t.Errorf("%d gaps", len(cut.gaps))
	}
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte{1, 3, 2, 9, 5, 5, 0, 200})
	f.Fuzz(func(t *testing.T, numbers []byte) {
		var w window
		seen := make(map[byte]bool)
		for _, n := range numbers {
			if got, want := w.take(uint64(n)), n > 0 && !seen[n]; got != want {
				t.Fatalf("%d: taken %v, want %v", n, got, want)
			}
			seen[n] = true
		}
	})
}
