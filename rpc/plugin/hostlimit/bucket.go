package hostlimit

import "time"

// bucket holds what a host may spend on new sessions: one token each. It earns them back
// at a rate.
type bucket struct {
	tokens float64
	at     time.Time // when they were counted
}

// fill counts what was earned since.
func (b *bucket) fill(now time.Time, rate float64, burst int) {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(b.tokens+passed*max(rate, 0), float64(burst))
		b.at = now
	}
}

func (b *bucket) take(now time.Time, rate float64, burst int) bool {
	b.fill(now, rate, burst)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
