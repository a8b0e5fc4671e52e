package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Group is one control group, for one process tree at a time. A tree that has
// ended leaves it empty, and the next one may use it. All methods of a nil *Group
// do nothing.
type Group struct {
	tree *Tree
	name string

	parts atomic.Pointer[[]part] // in the order of the tree's hierarchies

	mu       sync.Mutex // held while the parts and their limits change
	limits   Limits
	spent    bool              // nothing may be born in the folder of version 2 any more; see renew
	oomKills int               // counted by former folders
	kept     map[string]string // the settings of the former folder; see renew

	turn    context.Context // of High; nil while nobody watches
	endTurn context.CancelFunc
}

// part is a group's folder in one hierarchy.
type part struct {
	*hierarchy
	dir         string
	controllers []string // whose limits can be set here
}

func (g *Group) list() []part {
	if g == nil {
		return nil
	}
	if p := g.parts.Load(); p != nil {
		return *p
	}
	return nil
}

// tracker is the part in which all processes of the group are.
func (g *Group) tracker() part { return g.list()[0] }

// join makes the group's folder in h. It tells whether the folder was there.
func (g *Group) join(h *hierarchy) (old bool, err error) {
	dir, old, err := h.make(g.name + groupSuffix)
	if err != nil {
		return false, err
	}
	g.add(part{hierarchy: h, dir: dir})
	return old, nil
}

func (g *Group) add(p part) {
	p.controllers = p.hierarchy.controllers
	if p.unified && len(p.controllers) > 0 {
		p.controllers = passable(p.dir, p.controllers)
	}
	parts := append(slices.Clone(g.list()), p)
	g.parts.Store(&parts)
}

// Name is what it was made with.
func (g *Group) Name() string {
	if g == nil {
		return ""
	}
	return g.name
}

// Directory opens the group in version 2, for SysProcAttr.CgroupFD of one start; nil
// if there is none. The caller closes it: a descriptor that is kept for each group
// makes every fork slower, for the kernel copies and closes them all. After a
// [Group.Kill] wait for [Group.Gone] before, or what is started is killed as well.
func (g *Group) Directory() (*os.File, error) {
	if len(g.list()) == 0 || !g.tracker().unified {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.spent {
		g.renew()
	}
	dir, err := openDir(g.tracker().dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control group %s: %w", g.name, err)
	}
	return dir, nil
}

// Threaded tells whether [Group.Enter] does anything.
func (g *Group) Threaded() bool {
	return slices.ContainsFunc(g.list(), func(p part) bool { return !p.unified })
}

// Enter moves the calling thread, and no other of this process, into the parts
// of the group that are of version 1. What the thread forks is born there. It
// cannot be undone: call it from a goroutine that is locked to its thread, and
// that ends without unlocking it, so that the thread ends as well.
//
// On the main thread, which cannot end, it is refused.
func (g *Group) Enter() error {
	if !g.Threaded() {
		return nil
	}
	// The kernel counts the whole process as being where its main thread is, and
	// the runtime keeps that thread for ever.
	if unix.Gettid() == unix.Getpid() {
		return fmt.Errorf("cannot enter the control group %s: this is the main thread", g.name)
	}
	for _, p := range g.list() {
		if p.unified {
			continue
		}
		if err := writeFile(path.Join(p.dir, "tasks"), "0"); err != nil {
			return fmt.Errorf("cannot enter the control group %s: %w", g.name, err)
		}
	}
	return nil
}

// Pids gives the processes in the group and in those that they made below it,
// sorted. This process is never among them, nor is one that has exited, though it
// may not have been reaped.
func (g *Group) Pids() ([]int, error) {
	if len(g.list()) == 0 {
		return nil, nil
	}
	pids, err := pidsBelow(g.tracker().dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes of the control group %s: %w", g.name, err)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func pidsBelow(dir string) ([]int, error) {
	pids, err := others(dir)
	// The processes of a threaded group are those of the one above.
	if missing(err) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	below, err := nested(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range below {
		more, err := pidsBelow(name)
		if err != nil {
			return nil, err
		}
		pids = append(pids, more...)
	}
	return pids, nil
}

// nested gives the groups right below dir; that there are none is found out
// without reading it.
func nested(dir string) ([]string, error) {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil || stat.Nlink <= 2 {
		return nil, nil
	}
	return folders(dir)
}

// Remove takes the group away. Nothing may live in it; the Group is of no use
// afterwards.
func (g *Group) Remove() error {
	if g == nil {
		return nil
	}
	if err := g.discard(); err != nil {
		if errors.Is(err, unix.EBUSY) {
			pids, _ := g.Pids()
			return fmt.Errorf("cannot remove the control group %s: processes %v live in it: %w", g.name, pids, err)
		}
		return fmt.Errorf("cannot remove the control group %s: %w", g.name, err)
	}
	return nil
}

func (g *Group) discard() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.nextTurn()
	for _, p := range slices.Backward(g.list()) {
		if err := remove(p.dir); err != nil {
			return err
		}
	}
	return nil
}
