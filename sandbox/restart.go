package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// When says after which end of Serve a sandbox is started again.
type When string

// The choices of [RestartPolicy].
const (
	OnFailure When = "on-failure" // after an error or a panic; the default
	Always    When = "always"     // after nil as well
	Never     When = "never"
)

// RestartPolicy says whether and how fast a sandbox that ended is started again.
// It concerns sandboxes that were ready once: a first start that fails is
// reported and not repeated. The zero value works.
type RestartPolicy struct {
	When   When          // default OnFailure
	Delay  time.Duration // before the second restart in a row; doubles each time; default 100 ms
	Max    time.Duration // of a delay; default 30 s
	Stable time.Duration // a run at least that long counts as good: the next restart comes at once; default 10 s
	Limit  int           // restarts in a row without a stable run, then the sandbox has failed; default 0: no limit
}

func (p RestartPolicy) withDefaults() RestartPolicy {
	if p.When == "" {
		p.When = OnFailure
	}
	if p.Delay == 0 {
		p.Delay = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = max(30*time.Second, p.Delay)
	}
	if p.Stable == 0 {
		p.Stable = 10 * time.Second
	}
	return p
}

func (p RestartPolicy) validate() error {
	switch p.When {
	case OnFailure, Always, Never:
	default:
		return fmt.Errorf("restart must be %s, %s or %s, not %q", OnFailure, Always, Never, p.When)
	}
	if p.Delay < 0 || p.Max < p.Delay || p.Stable < 0 || p.Limit < 0 {
		return fmt.Errorf("restart limits out of range: delay %v, max %v, stable %v, limit %d", p.Delay, p.Max, p.Stable, p.Limit)
	}
	return nil
}

// backoff counts restarts in a row. It is not safe for concurrent use.
type backoff struct {
	policy RestartPolicy // with defaults
	row    int           // restarts since the last stable run
}

// next returns how long to wait before the next restart, given how long the last
// run was, and whether to restart at all.
func (b *backoff) next(ran time.Duration) (time.Duration, bool) {
	if ran >= b.policy.Stable {
		b.row = 0
	}
	if b.policy.Limit > 0 && b.row >= b.policy.Limit {
		return 0, false
	}
	b.row++
	if ran >= b.policy.Stable {
		return 0, true
	}
	d := b.policy.Delay
	for i := 1; i < b.row && d < b.policy.Max; i++ {
		d *= 2
	}
	d = min(d, b.policy.Max)
	// Up to a quarter is taken off at random, so that many sandboxes that fell
	// over the same thing do not come back in step. Max stays a maximum.
	return d - time.Duration(rand.Int64N(int64(d)/4+1)), true
}
