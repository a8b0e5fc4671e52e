package main

import (
	"context"
	"fmt"
	"time"
)

// crashes lets all peers that have a policy run side by side, told nothing of
// restarts, each with one child that exits with 1 at once.
func (b *bench) crashes(ctx context.Context) error {
	var running []run
	defer func() {
		for _, r := range running {
			b.finish(r)
		}
	}()
	own, err := b.emptyCPU(ctx)
	if err != nil {
		return err
	}
	for _, p := range b.turn(0, withoutPolicy()...) {
		r, err := b.start(ctx, p, defaults, 1, "fail")
		if err == nil {
			running = append(running, r)
		} else if err := b.failed(ctx, cellCrash, p.name(), err); err != nil {
			return err
		}
	}
	if err := pause(ctx, b.scale.Crash); err != nil {
		return err
	}
	for _, r := range running {
		// First of all: each question costs as well.
		used := r.since(nil)
		starts, err := r.reg.count()
		if err == nil && starts == 0 {
			err = fmt.Errorf("no child was started")
		}
		state := ""
		if err == nil {
			state, err = r.state(ctx)
		}
		if err != nil {
			if err := b.failed(ctx, cellCrash, r.peer, err); err != nil {
				return err
			}
			continue
		}
		b.add(cellCrash, r.peer, "starts", float64(starts))
		b.add(cellCrash, r.peer, "CPU", max(used-own[r.peer], 0).Seconds()*kilo)
		b.text(cellCrash, r.peer, "end state", state)
	}
	return nil
}

func withoutPolicy() []string { return append(logPeers(), roleFloor, roleSupervise) }

// emptyCPU is what each supervisor uses for itself until it runs.
func (b *bench) emptyCPU(ctx context.Context) (map[string]time.Duration, error) {
	own := make(map[string]time.Duration)
	err := b.withoutChildren(ctx, cellCrash, withoutPolicy(), func(r run) { own[r.peer] = r.since(nil) })
	return own, err
}
