package cgroup

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// period is the time over which the use of processors is bounded, in µs.
const period = 100_000

// leastCPU is the smallest bound that the kernel takes.
const leastCPU = 0.01

func (l Limits) check() error {
	switch {
	case l.Memory < 0 || l.MemoryHigh < 0 || l.Pids < 0:
		return errors.New("a limit cannot be negative")
	case math.IsNaN(l.CPU) || l.CPU < 0 || l.CPU > 0 && l.CPU < leastCPU || l.CPU > 1_000_000:
		return fmt.Errorf("a limit of %v processors is not 0 or from %v to 1000000", l.CPU, leastCPU)
	}
	return nil
}

// needs gives the controllers that l needs.
func (l Limits) needs() []string {
	var list []string
	if l.Memory > 0 || l.MemoryHigh > 0 {
		list = append(list, memory)
	}
	if l.Pids > 0 {
		list = append(list, pids)
	}
	if l.CPU > 0 {
		list = append(list, cpu)
	}
	return list
}

// wanted tells whether one of the limits sits here.
func (h *hierarchy) wanted(l Limits) bool { return slices.ContainsFunc(l.needs(), h.serves) }

// Set changes the limits, also of what lives in the group. Those that the machine
// cannot enforce are left out; see [Tree.Lacks].
//
// Where a limit sits in version 1 and the group has no part there yet, processes
// are moved into it; memory that they have by then is not counted.
func (g *Group) Set(l Limits) error {
	if g == nil {
		return nil
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("cannot limit the control group %s: %w", g.name, err)
	}
	if err := g.extend(l); err != nil {
		return fmt.Errorf("cannot limit the control group %s: %w", g.name, err)
	}
	if err := g.set(l, false); err != nil {
		return fmt.Errorf("cannot limit the control group %s: %w", g.name, err)
	}
	return nil
}

// extend makes the parts that l needs and that are not there.
func (g *Group) extend(l Limits) error {
	g.tree.mu.Lock()
	defer g.tree.mu.Unlock()
	for _, h := range g.tree.hierarchies {
		if h.unified || !h.wanted(l) || slices.ContainsFunc(g.list(), func(p part) bool { return p.hierarchy == h }) {
			continue
		}
		if _, err := g.join(h); err != nil {
			return err
		}
		if err := g.gather(g.list()[len(g.list())-1]); err != nil {
			return err
		}
	}
	return nil
}

// gather moves all processes of the group into its part p.
func (g *Group) gather(p part) error {
	for range killRounds {
		all, err := g.Pids()
		if err != nil {
			return err
		}
		there, err := pidsBelow(p.dir)
		if err != nil {
			return err
		}
		moved := false
		for _, pid := range all {
			if slices.Contains(there, pid) {
				continue
			}
			moved = true
			if err := writeFile(path.Join(p.dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !moved {
			return nil
		}
	}
	return errors.New("processes are forked faster than they are moved")
}

// set writes l to the kernel. A fresh group has no limits yet.
func (g *Group) set(l Limits, fresh bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.list() {
		for _, c := range p.controllers {
			if fresh && !slices.Contains(l.needs(), c) {
				continue
			}
			if err := p.limit(c, l); err != nil {
				return err
			}
		}
	}
	g.limits = l
	g.nextTurn()
	return nil
}

func (p part) limit(controller string, l Limits) error {
	switch {
	case controller == memory && p.unified:
		return p.limitMemory(l)
	case controller == memory:
		return p.limitLegacyMemory(l.Memory)
	case controller == pids:
		return p.write("pids.max", orMax(int64(l.Pids)))
	case p.unified:
		return p.write("cpu.max", orMax(quota(l.CPU))+" "+strconv.Itoa(period))
	default:
		return p.limitLegacyCPU(l.CPU)
	}
}

func (p part) limitMemory(l Limits) error {
	swap := int64(-1)
	if l.Memory > 0 {
		swap = 0
	}
	err := p.write("memory.high", orMax(l.MemoryHigh))
	if e := p.write("memory.swap.max", orMaxFrom(swap)); !missing(e) {
		err = errors.Join(err, e) // a kernel may have no swap at all
	}
	return errors.Join(err, p.write("memory.max", orMax(l.Memory)))
}

// limitLegacyMemory sets both limits of version 1. The one with swap may at no
// time be the smaller one.
func (p part) limitLegacyMemory(limit int64) error {
	value := "-1"
	if limit > 0 {
		value = strconv.FormatInt(limit, 10)
	}
	const plain, both = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
	err := p.write(plain, value)
	if errors.Is(err, unix.EINVAL) {
		err = errors.Join(p.write(both, value), p.write(plain, value))
	}
	if err != nil {
		return err
	}
	if err := p.write(both, value); err != nil && !missing(err) {
		return err
	}
	return nil
}

func (p part) limitLegacyCPU(cores float64) error {
	if cores == 0 {
		return p.write("cpu.cfs_quota_us", "-1")
	}
	err := p.write("cpu.cfs_period_us", strconv.Itoa(period))
	return errors.Join(err, p.write("cpu.cfs_quota_us", strconv.FormatInt(quota(cores), 10)))
}

func quota(cores float64) int64 { return int64(math.Round(cores * period)) }

func orMax(n int64) string {
	if n == 0 {
		return "max"
	}
	return orMaxFrom(n)
}

func orMaxFrom(n int64) string {
	if n < 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func (p part) write(name, value string) error { return writeFile(path.Join(p.dir, name), value) }
