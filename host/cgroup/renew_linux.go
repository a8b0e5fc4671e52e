package cgroup

import (
	"path"
	"slices"
	"strings"
)

// settings are the files of version 2 that limits are in.
func settings() []string {
	return []string{"memory.high", "memory.swap.max", "memory.max", "cpu.max", "pids.max"}
}

// renew makes the folder of version 2 anew, with its limits. Kernels since 6.14
// compare how often a group was killed as a whole with how often that of the
// parent was, and kill at once what is born in one that has ever been.
//
// While something lives in the group nothing changes. It is called with mu held.
func (g *Group) renew() {
	p := g.tracker()
	kills, err := g.keep(p)
	if err != nil || remove(p.dir) != nil {
		return
	}
	g.oomKills += kills
	g.nextTurn()
	if err := mkdir(p.dir); err != nil {
		return
	}
	for _, name := range settings() {
		if value, ok := g.kept[name]; ok {
			// What was taken once is taken again.
			_ = p.write(name, strings.TrimSpace(value))
		}
	}
	g.spent = false
}

// keep reads what a new folder has to take over. A folder that is gone, because
// the last try ended halfway, leaves what was kept then.
func (g *Group) keep(p part) (oomKills int, err error) {
	if len(p.controllers) == 0 || !exists(p.dir) {
		return 0, nil
	}
	g.kept = make(map[string]string)
	for _, name := range settings() {
		value, err := readFile(path.Join(p.dir, name))
		if err == nil {
			g.kept[name] = value
		} else if !missing(err) {
			return 0, err
		}
	}
	if slices.Contains(p.controllers, memory) {
		return p.oomKills()
	}
	return 0, nil
}
