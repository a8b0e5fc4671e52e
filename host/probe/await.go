package probe

import (
	"context"
	"fmt"
	"time"
)

// Pace is how often [Await] asks.
type Pace struct {
	// First is the pause after the first question; each later one is half as long
	// again. Default: 1ms, for a command 20ms.
	First time.Duration
	// Longest is the longest pause. Default: 250ms.
	Longest time.Duration
}

// The defaults of a Pace.
const (
	firstPause   = time.Millisecond
	firstCommand = 20 * time.Millisecond // a command costs what a process costs
	longestPause = 250 * time.Millisecond
)

func (p Pace) orDefault(kind Kind) Pace {
	if p.First <= 0 {
		p.First = firstPause
		if kind == Exec {
			p.First = firstCommand
		}
	}
	if p.Longest <= 0 {
		p.Longest = longestPause
	}
	return p
}

// Await asks until the answer is good, and then returns nil. When ctx ends, the
// error has the last answer. When the socket of a probe by unix appears, it asks
// at once and begins the pauses anew.
func Await(ctx context.Context, p Prober, pace Pace) error {
	var wait waiter = sleeper{}
	kind := Kind("")
	if q, ok := p.(*question); ok {
		if kind = q.kind; kind == Unix {
			wait = awaitFile(ctx, q.address)
		}
	}
	defer wait.close()
	pace = pace.orDefault(kind)
	var last error
	for pause := pace.First; ; pause = min(pause+pause/2, pace.Longest) {
		err := p.Ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if wait.wait(ctx, pause) {
			pause = pace.First
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", last, context.Cause(ctx))
		}
	}
}

// waiter waits between questions.
type waiter interface {
	// wait returns after the pause, when ctx ends, or, with true, when there is
	// reason to ask at once.
	wait(ctx context.Context, pause time.Duration) bool
	close()
}

// sleeper knows no reason.
type sleeper struct{}

func (sleeper) close() {}

func (sleeper) wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
