package supervise

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait before a process that ended is started again. The
// first restart is at once. Each further one in a row waits twice as long as the
// one before, give or take a little, until a run was stable. The zero value is
// ready to use.
type Backoff struct {
	Stable time.Duration // a run of this length ends the row; default 10 s
	Min    time.Duration // wait before the second restart in a row; default 100 ms
	Max    time.Duration // longest wait; default 30 s
	// Jitter is the part of a wait by which it is longer or shorter at random, so
	// that those who failed together do not start together; default 0.2, and no
	// more than 1. Less than 0 is none.
	Jitter float64

	row int // restarts since the last stable run
}

// Next takes note of a run from started to ended and gives the wait before the
// next one.
func (b *Backoff) Next(started, ended time.Time) time.Duration {
	if ended.Sub(started) >= orDefault(b.Stable, 10*time.Second) {
		b.row = 0
	}
	wait := b.wait(b.row, rand.Float64())
	b.row++
	return wait
}

// wait gives the wait before the restart that follows row others. random is from
// 0 up to 1.
func (b *Backoff) wait(row int, random float64) time.Duration {
	if row == 0 {
		return 0
	}
	longest := orDefault(b.Max, 30*time.Second)
	wait := orDefault(b.Min, 100*time.Millisecond)
	for ; row > 1 && wait < longest; row-- {
		wait *= 2
	}
	wait = min(wait, longest)
	return min(time.Duration(float64(wait)*(1+b.jitter()*(2*random-1))), longest)
}

func (b *Backoff) jitter() float64 {
	if b.Jitter == 0 {
		return 0.2
	}
	return min(max(b.Jitter, 0), 1)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
