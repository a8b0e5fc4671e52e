package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

const subtreeControl = "cgroup.subtree_control"

// prepare makes our own group of version 2 pass its controllers on to the groups
// below. The kernel only lets a group do so in which no processes are, so ours
// move into a leaf. Where that is not possible groups still count and kill.
func (t *Tree) prepare() {
	if t.prepared || !t.hierarchies[0].unified {
		return
	}
	t.prepared = true
	h := t.hierarchies[0]
	if len(h.controllers) == 0 {
		return
	}
	if err := h.pass(); err != nil {
		t.hindrance = err.Error()
	}
	there := passed(h.base)
	h.controllers = slices.DeleteFunc(h.controllers, func(c string) bool { return !slices.Contains(there, c) })
}

func (h *hierarchy) pass() error {
	if err := h.hold(); err != nil {
		return err
	}
	if !passes(h.own, h.controllers) {
		if err := h.moveAway(); err != nil {
			return err
		}
		h.changed = true
	}
	return errors.Join(pass(h.own, h.controllers), pass(h.base, h.controllers))
}

func passes(group string, controllers []string) bool {
	there := passed(group)
	return !slices.ContainsFunc(controllers, func(c string) bool { return !slices.Contains(there, c) })
}

// passed gives the controllers that a group passes on; one that cannot be read
// passes on none.
func passed(group string) []string {
	text, _ := readFile(path.Join(group, subtreeControl))
	return strings.Fields(text)
}

// pass switches controllers on for the groups below, one by one: one that fails
// does not keep the others from working.
func pass(group string, controllers []string) error {
	var errs []error
	for _, c := range controllers {
		errs = append(errs, writeFile(path.Join(group, subtreeControl), "+"+c))
	}
	return errors.Join(errs...)
}

// moveAway moves us into the leaf, out of our own group.
func (h *hierarchy) moveAway() error {
	// The root of all groups is exempt from the rule.
	if !exists(path.Join(h.own, "cgroup.type")) {
		return nil
	}
	leaf := path.Join(h.base, selfFolder)
	for range killRounds {
		pids, err := readPids(path.Join(h.own, "cgroup.procs"))
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if !ours(pid) {
				return fmt.Errorf("process %d lives in our own group %s, too: the master needs one for itself, such as a systemd unit with Delegate=yes", pid, h.own)
			}
		}
		if err := mkdir(leaf); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := moveAll(pids, leaf); err != nil {
			return err
		}
	}
	return errors.New("processes are forked faster than they are moved")
}

func moveAll(pids []int, to string) error {
	for _, pid := range pids {
		if err := writeFile(path.Join(to, "cgroup.procs"), strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// ours tells whether a process is this one, comes from it, or runs the same
// executable, as a launcher does.
func ours(pid int) bool {
	if sameExecutable(pid) {
		return true
	}
	for pid > 1 {
		if pid == os.Getpid() {
			return true
		}
		pid = proc.Parent(pid)
	}
	return pid == os.Getpid()
}

func sameExecutable(pid int) bool {
	a, errA := os.Stat("/proc/self/exe")
	b, errB := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// moveBack undoes what pass did, if nobody else depends on it. A leaf tells that
// it was done, perhaps by a master before us.
func (h *hierarchy) moveBack() error {
	leaf := path.Join(h.base, selfFolder)
	if !h.changed && !exists(leaf) {
		return nil
	}
	for _, dir := range []string{h.own, h.base} {
		below, err := folders(dir)
		if err != nil || slices.ContainsFunc(below, func(name string) bool { return name != h.base && name != leaf }) {
			return err
		}
	}
	// The root of all groups may pass on more than we asked for; our own group
	// must pass on nothing to be lived in again.
	for _, dir := range []string{h.base, h.own} {
		for _, c := range passed(dir) {
			if !exists(leaf) && !slices.Contains(h.controllers, c) {
				continue
			}
			if err := writeFile(path.Join(dir, subtreeControl), "-"+c); err != nil {
				return err
			}
		}
	}
	pids, err := readPids(path.Join(leaf, "cgroup.procs"))
	if missing(err) {
		return nil
	}
	return errors.Join(err, moveAll(pids, h.own))
}
