package securebody

import "slices"

// maxGaps bounds what a window takes: 8 KiB.
const maxGaps = 1024

// maxCounter bounds how many messages a sender seals under one key; with as many replies
// that is what random nonces are good for.
const maxCounter = 1 << 31

// window tells numbers that were seen from those that were not. They come in any order
// and some never do; one that is late for long is no worse than one that is late by few,
// because it waits in a handler's queue perhaps. So the window has no width: it holds
// which are missing.
type window struct {
	highest uint32
	gaps    []gap // below it, in their order
}

// gap is numbers that were not seen, both ends included.
type gap struct{ from, to uint32 }

// take is true for a number that it sees for the first time.
func (w *window) take(counter uint64) bool {
	if counter == 0 || counter > maxCounter {
		return false
	}
	n := uint32(counter)
	if n > w.highest {
		if n > w.highest+1 {
			w.gaps = append(w.gaps, gap{w.highest + 1, n - 1})
		}
		w.highest = n
		w.trim()
		return true
	}
	i, _ := slices.BinarySearchFunc(w.gaps, n, func(g gap, n uint32) int { return int(int64(g.to) - int64(n)) })
	if i == len(w.gaps) || n < w.gaps[i].from {
		return false
	}
	g := w.gaps[i]
	switch {
	case g.from == g.to:
		w.gaps = slices.Delete(w.gaps, i, i+1)
	case n == g.from:
		w.gaps[i].from++
	case n == g.to:
		w.gaps[i].to--
	default:
		w.gaps[i].to = n - 1
		w.gaps = slices.Insert(w.gaps, i+1, gap{n + 1, g.to})
		w.trim()
	}
	return true
}

// trim takes the oldest numbers that are missing for seen.
func (w *window) trim() {
	if len(w.gaps) > maxGaps {
		w.gaps = slices.Delete(w.gaps, 0, len(w.gaps)-maxGaps)
	}
}
