package sandbox

import (
	"testing"
	"time"
)

func TestBackoffDoublesUpToItsMaximum(t *testing.T) {
	for range 200 {
		b := backoff{policy: RestartPolicy{Delay: 100 * time.Millisecond, Max: time.Second}.withDefaults()}
		for i, most := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
			most *= time.Millisecond
			d, ok := b.next(0)
			if !ok || d > most || d < most*3/4 {
				t.Fatalf("restart %d comes after %v, want %v to %v", i+1, d, most*3/4, most)
			}
		}
	}
}

func TestFirstRestartAfterAStableRunIsAtOnce(t *testing.T) {
	b := backoff{policy: RestartPolicy{}.withDefaults()}
	for range 20 {
		b.next(0)
	}
	if d, ok := b.next(10 * time.Second); !ok || d != 0 {
		t.Errorf("after a stable run: %v, %v", d, ok)
	}
	if d, ok := b.next(0); !ok || d == 0 || d > 200*time.Millisecond {
		t.Errorf("after that: %v, %v", d, ok)
	}
}

func TestLimitCountsRestartsInARow(t *testing.T) {
	b := backoff{policy: RestartPolicy{Limit: 2}.withDefaults()}
	ok := []bool{true, true, false}
	for i, want := range ok {
		if _, got := b.next(0); got != want {
			t.Errorf("restart %d: %v", i+1, got)
		}
	}
	if _, got := b.next(time.Hour); !got {
		t.Error("a stable run did not count")
	}
}

func TestPolicyIsChecked(t *testing.T) {
	for _, p := range []RestartPolicy{
		{When: "sometimes"}, {Delay: -1}, {Delay: time.Hour, Max: time.Minute}, {Stable: -1}, {Limit: -1},
	} {
		if err := p.withDefaults().validate(); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
	if err := (RestartPolicy{Delay: time.Hour}).withDefaults().validate(); err != nil {
		t.Errorf("a delay above the default maximum: %v", err)
	}
}
