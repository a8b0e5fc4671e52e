package supervise

import (
	"testing"
	"time"
)

func TestBackoffFollowsTheHistory(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name    string
		backoff Backoff
		runs    []time.Duration // how long each run was
		waits   []time.Duration // before the next one, without jitter
	}{
		{"crash loop", Backoff{}, make([]time.Duration, 12), []time.Duration{
			0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 30 * time.Second, 30 * time.Second}},
		{"stable", Backoff{}, []time.Duration{10 * time.Second, time.Hour, 10 * time.Second}, []time.Duration{0, 0, 0}},
		{"stable after a row", Backoff{}, []time.Duration{0, 0, 0, 10 * time.Second, 0, 0}, []time.Duration{0, 100 * ms, 200 * ms, 0, 100 * ms, 200 * ms}},
		{"just not stable", Backoff{}, []time.Duration{0, 10*time.Second - 1}, []time.Duration{0, 100 * ms}},
		{"own values", Backoff{Stable: time.Minute, Min: 3 * time.Second, Max: 10 * time.Second},
			[]time.Duration{0, 30 * time.Second, 59 * time.Second, 59 * time.Second, time.Minute},
			[]time.Duration{0, 3 * time.Second, 6 * time.Second, 10 * time.Second, 0}},
		{"least above most", Backoff{Min: time.Minute, Max: time.Second}, []time.Duration{0, 0}, []time.Duration{0, time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			b := test.backoff
			for i, run := range test.runs {
				wait := b.Next(now, now.Add(run))
				low, high := test.waits[i]*8/10, test.waits[i]*12/10
				if wait < low || wait > high {
					t.Errorf("wait %d is %v, not from %v to %v", i, wait, low, high)
				}
				now = now.Add(run + wait)
			}
		})
	}
}

func TestBackoffJitterStaysInBounds(t *testing.T) {
	b := Backoff{}
	for _, test := range []struct {
		row    int
		random float64
		want   time.Duration
	}{
		{0, 0.99, 0},
		{1, 0, 80 * time.Millisecond},
		{1, 0.5, 100 * time.Millisecond},
		{1, 1, 120 * time.Millisecond},
		{10, 0, 24 * time.Second},
		{10, 1, 30 * time.Second},
		{1 << 40, 0.5, 30 * time.Second},
	} {
		if got := b.wait(test.row, test.random).Round(time.Microsecond); got != test.want {
			t.Errorf("row %d, random %v: %v, want %v", test.row, test.random, got, test.want)
		}
	}
	for _, test := range []struct {
		jitter, random float64
		want           time.Duration
	}{
		{-1, 0, 100 * time.Millisecond},
		{0.5, 0, 50 * time.Millisecond},
		{1, 0, 0},
		{7, 0, 0},
		{1, 1, 200 * time.Millisecond},
	} {
		b := Backoff{Jitter: test.jitter}
		if got := b.wait(1, test.random).Round(time.Microsecond); got != test.want {
			t.Errorf("jitter %v, random %v: %v, want %v", test.jitter, test.random, got, test.want)
		}
	}
}
