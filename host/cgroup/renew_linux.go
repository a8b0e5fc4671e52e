package cgroup

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
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
	if g.dir == nil {
		return
	}
	p := g.tracker()
	kept := make(map[string]string)
	if len(p.controllers) > 0 {
		for _, name := range settings() {
			if value, err := readFile(path.Join(p.dir, name)); err == nil {
				kept[name] = value
			}
		}
	}
	if remove(p.dir) != nil {
		return
	}
	if err := mkdir(p.dir); err != nil && !errors.Is(err, os.ErrExist) {
		return
	}
	fd, err := open(p.dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	for _, name := range settings() {
		if value, ok := kept[name]; ok {
			// What was taken once is taken again.
			_ = p.write(name, value)
		}
	}
	g.dir.Close()
	g.dir, g.spent = os.NewFile(uintptr(fd), p.dir), false
}
