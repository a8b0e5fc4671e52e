package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// High returns nil once the memory of the group has come to MemoryHigh: not what
// is cached of files, which the kernel takes back by itself, but the rest, and to
// 15/16 of the limit, because the kernel holds it just below. It returns at once
// while that is so. It waits for the kernel to tell, until ctx ends.
//
// Without a MemoryHigh that the machine can watch, it waits until there is one or
// ctx ends.
func (g *Group) High(ctx context.Context) error {
	if g == nil {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for {
		limit, turn := g.watched()
		inner, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(turn, cancel)
		err := g.awaitHigh(inner, limit-limit/16)
		stop()
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case turn.Err() == nil:
			return fmt.Errorf("cannot watch the memory of the control group %s: %w", g.name, err)
		}
	}
}

// watched gives the limit that High watches, 0 if there is none, and what ends
// when that, or the folder of the group, becomes another one.
func (g *Group) watched() (limit int64, turn context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.turn == nil {
		g.turn, g.endTurn = context.WithCancel(context.Background())
	}
	return g.limits.MemoryHigh, g.turn
}

// nextTurn makes High look again. It is called with mu held.
func (g *Group) nextTurn() {
	if g.turn != nil {
		g.endTurn()
		g.turn, g.endTurn = nil, nil
	}
}

func (g *Group) awaitHigh(ctx context.Context, limit int64) error {
	p, ok := g.part(memory)
	switch {
	case !ok || limit == 0:
		<-ctx.Done()
		return context.Cause(ctx)
	case p.unified:
		return awaitFile(ctx, path.Join(p.dir, "memory.events"), func() (bool, error) {
			_, firm, err := p.memory()
			return firm >= limit, err
		})
	default:
		return p.awaitLegacyHigh(ctx, limit)
	}
}

// alarm is how version 1 tells of memory: it writes to a descriptor when the use
// passes a number that was asked for, and when the group runs short.
type alarm struct {
	part
	limit int64
	event int // what the kernel writes to
	usage int // what the numbers are about
	armed map[int64]bool
}

func (p part) awaitLegacyHigh(ctx context.Context, limit int64) error {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	f := os.NewFile(uintptr(event), "eventfd")
	defer f.Close()
	usage, err := open(path.Join(p.dir, "memory.usage_in_bytes"), unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(usage)
	a := alarm{part: p, limit: limit, event: event, usage: usage, armed: make(map[int64]bool)}
	if err := a.armShortage(); err != nil {
		return err
	}
	return await(ctx, f, a.rung)
}

// armShortage asks to be told when the kernel has to look for memory: the use
// does not change then, however much of it becomes firm.
func (a *alarm) armShortage() error {
	pressure, err := open(path.Join(a.dir, "memory.pressure_level"), unix.O_RDONLY)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pressure)
	return a.write("cgroup.event_control", fmt.Sprintf("%d %d low", a.event, pressure))
}

// rung tells whether the limit was reached, and else asks to be told when it could
// be at the earliest.
func (a *alarm) rung() (bool, error) {
	var count [8]byte
	if _, err := unix.Read(a.event, count[:]); err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		return false, os.NewSyscallError("read", err)
	}
	for {
		all, firm, err := a.memory()
		if err != nil || firm >= a.limit {
			return err == nil, err
		}
		// The steps bound how many numbers there can be.
		step := max(a.limit/32, int64(os.Getpagesize()))
		next := (all + a.limit - firm + step - 1) / step * step
		if a.armed[next] {
			return false, nil
		}
		if err := a.write("cgroup.event_control", fmt.Sprintf("%d %d %d", a.event, a.usage, next)); err != nil {
			return false, err
		}
		a.armed[next] = true
	}
}
