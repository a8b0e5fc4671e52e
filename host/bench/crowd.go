package main

import (
	"context"
	"fmt"
	"time"
)

const (
	mega = 1e6
	kilo = 1e3
)

// crowd measures the start of that many children, what they cost, and their stop.
func (b *bench) crowd(ctx context.Context, cell string, children int) error {
	empty, err := b.emptyMemory(ctx, cell)
	if err != nil {
		return err
	}
	for round := range b.scale.Rounds {
		last := round == b.scale.Rounds-1
		var running []run
		for _, p := range b.turn(round, logPeers()...) {
			r, err := b.gather(ctx, cell, p, children, empty)
			if err == nil && cell == cellFew && last {
				running = append(running, r)
				continue
			}
			if err == nil {
				err = b.disperse(ctx, cell, r)
			}
			if r.instance != nil {
				b.finish(r)
			}
			if err == nil {
				continue
			}
			if err := b.failed(ctx, cell, p.name(), err); err != nil {
				return err
			}
		}
		if err := b.watch(ctx, cell, running); err != nil {
			return err
		}
	}
	return nil
}

// emptyMemory gives the memory of each supervisor without children, in bytes.
func (b *bench) emptyMemory(ctx context.Context, cell string) (map[string]int64, error) {
	sizes := make(map[string]int64)
	err := b.withoutChildren(ctx, cell, logPeers(), func(r run) {
		_, sizes[r.peer] = r.memory()
		b.add(cell, r.peer, "PSS without children", float64(sizes[r.peer])/mega)
	})
	return sizes, err
}

// withoutChildren looks at each supervisor when it has nothing to do.
func (b *bench) withoutChildren(ctx context.Context, cell string, without []string, look func(r run)) error {
	for _, p := range b.turn(0, without...) {
		r, err := b.start(ctx, p, keepOn, 0)
		if err == nil {
			if err = pause(ctx, b.scale.Settle); err == nil {
				look(r)
			}
			b.finish(r)
		}
		if err == nil {
			continue
		}
		if err := b.failed(ctx, cell, p.name(), err); err != nil {
			return err
		}
	}
	return nil
}

// gather measures a start. The run is to be finished if there is one.
func (b *bench) gather(ctx context.Context, cell string, p peer, children int, empty map[string]int64) (run, error) {
	r, err := b.start(ctx, p, keepOn, children)
	if err != nil {
		return r, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("within %v", startTime))
	defer cancel()
	if err := r.reg.await(limited, children); err != nil {
		return r, err
	}
	born, err := r.reg.births(0)
	if err != nil {
		return r, err
	}
	first, last := born[0].at, born[0].at
	for _, c := range born {
		first, last = min(first, c.at), max(last, c.at)
	}
	b.add(cell, r.peer, "start", (last - r.from).Seconds())
	b.add(cell, r.peer, "first to last", (last - first).Seconds())
	if err := pause(ctx, b.scale.Settle); err != nil {
		return r, err
	}
	b.add(cell, r.peer, "CPU of the start", r.since(nil).Seconds())
	rss, pss := r.memory()
	b.add(cell, r.peer, "RSS", float64(rss)/mega)
	b.add(cell, r.peer, "PSS", float64(pss)/mega)
	b.add(cell, r.peer, "memory a child", float64(pss-empty[r.peer])/float64(children)/kilo)
	return r, nil
}

// disperse measures the stop of all children.
func (b *bench) disperse(ctx context.Context, cell string, r run) error {
	var children []handle
	defer func() {
		for _, h := range children {
			h.close()
		}
	}()
	for _, pid := range r.children() {
		if h, err := openProcess(pid); err == nil {
			children = append(children, h)
		}
	}
	if len(children) < len(r.job.tasks) {
		return fmt.Errorf("only %d of %d children run", len(children), len(r.job.tasks))
	}
	before := r.usage()
	limited, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	from := monotonic()
	gone := make(chan time.Duration, 1)
	b.wait.Go("stop", func(context.Context) { gone <- lastGone(children, from) })
	err := r.stop(limited)
	b.add(cell, r.peer, "stop answered", (monotonic() - from).Seconds())
	took := <-gone
	if err != nil {
		return fmt.Errorf("cannot stop: %w", err)
	}
	if took >= endTime {
		return fmt.Errorf("there are children %v after the stop", took)
	}
	b.add(cell, r.peer, "stop", took.Seconds())
	used := r.since(before)
	for pid := range before {
		// What one that has gone has used nobody knows.
		if cpuTime(pid) == 0 {
			return nil
		}
	}
	b.add(cell, r.peer, "CPU of the stop", used.Seconds())
	return nil
}

// lastGone waits until all have ended and tells how long that took.
func lastGone(all []handle, from time.Duration) time.Duration {
	for _, h := range all {
		if !h.gone(endTime - (monotonic() - from)) {
			return endTime
		}
	}
	return monotonic() - from
}

// watch measures what idle children cost, all peers at the same time, and the
// status of each. It ends the runs.
func (b *bench) watch(ctx context.Context, cell string, running []run) error {
	defer func() {
		for _, r := range running {
			b.finish(r)
		}
	}()
	if len(running) == 0 {
		return nil
	}
	before := make([]map[int]time.Duration, len(running))
	for i, r := range running {
		before[i] = r.usage()
	}
	if err := pause(ctx, b.scale.Idle); err != nil {
		return err
	}
	const shown = 30 * time.Second
	for i, r := range running {
		used := r.since(before[i])
		b.add(cell, r.peer, "idle CPU in 30 s", used.Seconds()*kilo*shown.Seconds()/b.scale.Idle.Seconds())
	}
	for range b.scale.Asks {
		for _, r := range running {
			if err := b.inquire(ctx, cell, r); err != nil {
				return err
			}
		}
	}
	for _, r := range running {
		if err := b.disperse(ctx, cell, r); err != nil {
			if err := b.failed(ctx, cell, r.peer, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// inquire asks once by each way.
func (b *bench) inquire(ctx context.Context, cell string, r run) error {
	from := monotonic()
	count, err := r.status(ctx)
	took := monotonic() - from
	n := 0
	if err == nil {
		n, err = count()
	}
	if err == nil && n != len(r.job.tasks) {
		err = fmt.Errorf("the status tells of %d children, there are %d", n, len(r.job.tasks))
	}
	if err != nil {
		return b.failed(ctx, cell, r.peer, err)
	}
	b.add(cell, r.peer, "status by API", took.Seconds()*kilo)
	from = monotonic()
	if _, err := output(ctx, r.command()...); err != nil {
		return b.failed(ctx, cell, r.peer, err)
	}
	b.add(cell, r.peer, "status by command", (monotonic()-from).Seconds()*kilo)
	return nil
}
