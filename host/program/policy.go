package program

import (
	"fmt"
	"slices"
	"time"

	"github.com/dserver/dserver/host/config"
	"github.com/dserver/dserver/host/supervise"
)

// policy decides what follows the end of a run. Its settings may change while it
// counts.
type policy struct {
	keep  config.Keep
	count supervise.Restarts
}

// verdict is what follows: again, delay, finish or giveUp.
type verdict struct {
	on     occurrence
	after  time.Duration // of delay
	by     string
	reason string // of giveUp, if it is another one than that of the last end
}

func newPolicy(k config.Keep, jitter float64) policy {
	var p policy
	p.count.Backoff.Jitter = jitter
	p.set(k)
	return p
}

func (p *policy) set(k config.Keep) {
	p.keep = k
	settle(&p.count, k)
}

// next takes note of a run that is over.
func (p *policy) next(run supervise.Run) verdict {
	switch d := p.count.Next(run); {
	case d.Again && d.After <= 0:
		return verdict{on: again, by: byPolicy}
	case d.Again:
		return verdict{on: delay, after: d.After, by: byPolicy}
	case d.Fatal == "":
		return verdict{on: finish, by: byPolicy}
	}
	if p.keep.Restart == config.RestartNo {
		return verdict{on: giveUp, by: byPolicy}
	}
	return verdict{on: giveUp, by: byLimit, reason: fmt.Sprintf("%d starts within %v", p.keep.StartLimit, p.keep.StartWindow)}
}

// expected tells whether a process that ended by itself ended as it may.
func expected(k config.Keep, exit supervise.Exit) bool {
	if exit.Signal != 0 || exit.Unknown {
		return false
	}
	if len(k.ExitCodes) == 0 {
		return exit.Code == 0
	}
	return slices.Contains(k.ExitCodes, exit.Code)
}
