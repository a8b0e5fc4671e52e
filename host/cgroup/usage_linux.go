package cgroup

import (
	"fmt"
	"path"
	"slices"
)

// OOMKills tells how many processes of the group the kernel has killed for want
// of memory, in all since the group was made. Without the memory controller it
// does not tell, and the number is 0.
func (g *Group) OOMKills() (int, error) {
	p, ok := g.part(memory)
	if !ok {
		return 0, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := p.oomKills()
	if err != nil && !missing(err) {
		return 0, fmt.Errorf("cannot tell what was killed for want of memory in the control group %s: %w", g.name, err)
	}
	return g.oomKills + n, nil
}

func (p part) oomKills() (int, error) {
	file := "memory.oom_control"
	if p.unified {
		file = "memory.events"
	}
	n, err := readField(path.Join(p.dir, file), "oom_kill")
	return int(n), err
}

// part gives the part of the group that has a controller.
func (g *Group) part(controller string) (part, bool) {
	list := g.list()
	i := slices.IndexFunc(list, func(p part) bool { return slices.Contains(p.controllers, controller) })
	if i < 0 {
		return part{}, false
	}
	return list[i], true
}

// Usage tells what the group uses now.
func (g *Group) Usage() (Usage, error) {
	if len(g.list()) == 0 {
		return Usage{}, nil
	}
	u, err := g.usage()
	if err != nil && !missing(err) {
		return Usage{}, fmt.Errorf("cannot tell what the control group %s uses: %w", g.name, err)
	}
	return u, nil
}

func (g *Group) usage() (Usage, error) {
	var u Usage
	pids, err := g.Pids()
	if err != nil {
		return u, err
	}
	u.Pids = len(pids)
	if p := g.tracker(); p.unified {
		// The kernel counts this without any controller.
		µs, err := readField(path.Join(p.dir, "cpu.stat"), "usage_usec")
		if err != nil {
			return u, err
		}
		u.CPU = float64(µs) / 1e6
	}
	if p, ok := g.part(memory); ok {
		u.Memory, u.Anon, err = p.memory()
	}
	return u, err
}

// memory gives the bytes that a group has, and how many of them cannot be given
// back: all but what is cached of files.
func (p part) memory() (all, firm int64, err error) {
	current, keys := "memory.usage_in_bytes", []string{"total_inactive_file", "total_active_file"}
	if p.unified {
		current, keys = "memory.current", []string{"inactive_file", "active_file", "slab_reclaimable"}
	}
	if all, err = readNumber(path.Join(p.dir, current)); err != nil {
		return 0, 0, err
	}
	stat, err := readFile(path.Join(p.dir, "memory.stat"))
	if err != nil {
		return 0, 0, err
	}
	firm = all
	for _, key := range keys {
		n, _ := field(stat, key)
		firm -= n
	}
	return all, max(firm, 0), nil
}
