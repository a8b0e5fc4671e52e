package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dserver/dserver/bench/internal/peer"
	"github.com/dserver/dserver/internal/group"
)

// The phases of a crowd.
const (
	warming int32 = iota
	measured
	over
)

// errEnough ends a caller that has done all it was to do.
var errEnough = errors.New("enough")

// patience is how long callers may take to return when it is over.
const patience = 10 * time.Second

// crowd is callers that work at the same time.
type crowd struct {
	phase   atomic.Int32
	timed   bool // whether each call is
	callers *group.Group
	tallies []*tally
}

// tally is what one caller has seen. A caller ends with its first error.
type tally struct {
	all   atomic.Int64 // calls that went well
	calls int64        // those of them that were wholly in the phase that is measured
	times histogram
	err   error
}

func newCrowd(ctx context.Context, timed bool) *crowd {
	return &crowd{timed: timed, callers: group.New(ctx, nil)}
}

// add lets one more caller begin.
func (c *crowd) add(call peer.Call) {
	t, number := &tally{}, uint32(len(c.tallies))
	c.tallies = append(c.tallies, t)
	c.callers.Go("caller", func(context.Context) {
		// No two calls that are under way have the same tag: there are no more than
		// 1024 callers, and none is 131072 calls behind itself.
		for n := uint32(0); t.err == nil; n++ {
			phase := c.phase.Load()
			if phase == over {
				return
			}
			t.err = c.one(t, phase, call, number<<17|n&(1<<17-1))
		}
	})
}

func (c *crowd) one(t *tally, phase int32, call peer.Call, tag uint32) error {
	var start time.Time
	if c.timed {
		start = time.Now()
	}
	if err := call(tag); err != nil {
		return err
	}
	t.all.Add(1)
	if phase != measured || c.phase.Load() != measured {
		return nil
	}
	t.calls++
	if c.timed {
		t.times.add(time.Since(start))
	}
	return nil
}

// run lets them work in a phase for a time, or until all have ended. They go on after it,
// but what they do counts no more.
func (c *crowd) run(phase int32, d time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(c.callers.Context(), d)
	defer cancel()
	start := time.Now()
	c.phase.Store(phase)
	_ = c.callers.Wait(ctx) // that they have not ended is no error
	c.phase.Store(warming)
	return time.Since(start), context.Cause(c.callers.Context())
}

// stop ends the work and waits for the calls that are under way.
func (c *crowd) stop() error {
	c.phase.Store(over)
	ctx, cancel := context.WithTimeout(c.callers.Context(), patience)
	defer cancel()
	if err := c.callers.Wait(ctx); err != nil {
		return fmt.Errorf("callers do not return: %w", err)
	}
	return nil
}

// all is how many calls went well so far.
func (c *crowd) all() (n int64) {
	for _, t := range c.tallies {
		n += t.all.Load()
	}
	return n
}

// sum adds up what was measured, and how many callers failed. It is for a crowd that was
// stopped.
func (c *crowd) sum() (calls int64, times histogram, failed int64, err error) {
	for _, t := range c.tallies {
		calls += t.calls
		times.merge(&t.times)
		if t.err != nil && !errors.Is(t.err, errEnough) {
			failed, err = failed+1, t.err
		}
	}
	return calls, times, failed, err
}
