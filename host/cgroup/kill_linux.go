package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// killRounds bounds how often the list of processes is read again when the
// kernel cannot kill a group as a whole.
const killRounds = 1000

// Kill kills all that lives in the group, also what is being forked meanwhile. It
// does not wait; see [Group.Gone].
func (g *Group) Kill() error {
	if len(g.list()) == 0 {
		return nil
	}
	if err := g.kill(); err != nil {
		return fmt.Errorf("cannot kill the control group %s: %w", g.name, err)
	}
	return nil
}

func (g *Group) kill() error {
	p := g.tracker()
	if p.unified {
		g.mu.Lock()
		g.spent = true
		g.mu.Unlock()
		err := writeFile(path.Join(p.dir, "cgroup.kill"), "1")
		if err == nil || !missing(err) {
			return err
		}
		if !exists(p.dir) {
			return nil
		}
	}
	return g.killEach()
}

// killEach kills one after the other, on kernels before 5.14 and in version 1.
// What does not run, or may not fork, cannot get ahead of it.
func (g *Group) killEach() error {
	p := g.tracker()
	if p.unified && writeFile(path.Join(p.dir, "cgroup.freeze"), "1") == nil {
		defer writeFile(path.Join(p.dir, "cgroup.freeze"), "0")
	}
	for _, p := range g.list() {
		name := path.Join(p.dir, "pids.max")
		if !p.serves(pids) {
			continue
		}
		before, err := readFile(name)
		if err == nil && writeFile(name, "0") == nil {
			defer writeFile(name, before)
		}
	}
	hit := make(map[int]bool)
	for range killRounds {
		pids, err := g.Pids()
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(pids, func(pid int) bool { return hit[pid] })
		if len(fresh) == 0 {
			return nil
		}
		for some := range slices.Chunk(fresh, killBatch) {
			if err := g.killPids(some, hit); err != nil {
				return err
			}
		}
	}
	return errors.New("processes are forked faster than they are killed")
}

// killBatch bounds how many descriptors are open at a time.
const killBatch = 128

// killPids kills those of pids that are in the group, and notes them in hit.
func (g *Group) killPids(pids []int, hit map[int]bool) error {
	refs := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range refs {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH || err == unix.EINVAL {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pidfd_open", err)
		}
		refs[pid] = fd
	}
	// Whoever is in the group still is who was meant: its number has not passed on
	// to a stranger between the look and the grip.
	still, err := g.Pids()
	if err != nil {
		return err
	}
	for _, pid := range still {
		fd, held := refs[pid]
		if !held {
			continue
		}
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("process %d: %w", pid, os.NewSyscallError("pidfd_send_signal", err))
		}
		hit[pid] = true
	}
	return nil
}
