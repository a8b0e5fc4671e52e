package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Tree is what an instance can do with groups on this machine. Make one with
// [Find].
type Tree struct {
	kind      Kind
	leftovers []string

	mu          sync.Mutex
	hierarchies []*hierarchy // version 2 first
	prepared    bool         // our own group passes controllers on, or cannot
	hindrance   string       // why it cannot
}

// Find looks at what there is. instance tells its owner from all others on this
// machine, as the path of a folder of its own does.
//
// Groups that a former owner of that name left behind are removed if they are
// empty; [Tree.Leftovers] names the others. Nothing is removed while another
// process has a Tree of the same instance.
//
// That there are no groups to be written to is no error; the error is for a
// system that does not say what there is.
func Find(instance string) (*Tree, error) {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return &Tree{kind: None}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find control groups: %w", err)
	}
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return &Tree{kind: None}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find control groups: %w", err)
	}
	return find(instance, string(mountinfo), string(memberships), controllers()), nil
}

func find(instance, mountinfo, memberships string, controllers []string) *Tree {
	t := &Tree{hierarchies: survey(mountinfo, memberships, folderName(instance), controllers)}
	t.kind = kindOf(t.hierarchies)
	t.clean()
	return t
}

func kindOf(hierarchies []*hierarchy) Kind {
	switch {
	case len(hierarchies) == 0:
		return None
	case len(hierarchies) == 1 && hierarchies[0].unified:
		return Unified
	default:
		return Hybrid
	}
}

// Kind is what there is. A nil Tree is of kind [None].
func (t *Tree) Kind() Kind {
	if t == nil {
		return None
	}
	return t.kind
}

// Make makes a group, or gives the one that is there with its limits set to l.
// name has 1 to 200 ASCII letters, digits and any of "-_:@". With kind [None] the group
// is nil, which is no error.
//
// A limit that the machine cannot enforce is left out; see [Tree.Lacks].
func (t *Tree) Make(name string, l Limits) (*Group, error) {
	if t.Kind() == None {
		return nil, nil
	}
	g, err := t.make(name, l)
	if err != nil {
		return nil, fmt.Errorf("cannot make the control group %s: %w", name, err)
	}
	return g, nil
}

func (t *Tree) make(name string, l Limits) (*Group, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.prepare()
	g := &Group{tree: t, name: name}
	old := false
	for i, h := range t.hierarchies {
		// Version 1 costs the child a thread of its own, so it is only used where
		// a limit sits on it, or where there is nothing else.
		if i > 0 && !h.wanted(l) {
			continue
		}
		was, err := g.join(h)
		if err != nil {
			return nil, errors.Join(err, g.discard())
		}
		old = old || was
	}
	g.spent = old
	if err := g.set(l, !old); err != nil {
		return nil, errors.Join(err, g.discard())
	}
	return g, nil
}

// maxName keeps the folder's name below what a file system takes.
const maxName = 200

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("the name must have 1 to %d bytes", maxName)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_:@", rune(c)) {
			return fmt.Errorf("the name may have letters, digits and any of -_:@, not %q", c)
		}
	}
	return nil
}

// Open gives a group that is there, made by this process or by a former owner of
// the instance, with whatever limits it has. If it is not there, the error is
// fs.ErrNotExist. With kind [None] the group is nil, which is no error.
func (t *Tree) Open(name string) (*Group, error) {
	if t.Kind() == None {
		return nil, nil
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("cannot open the control group %s: %w", name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &Group{tree: t, name: name, spent: true}
	for _, h := range t.hierarchies {
		if dir, ok := h.find(name + groupSuffix); ok {
			g.add(part{hierarchy: h, dir: dir})
		}
	}
	if len(g.list()) == 0 {
		return nil, fmt.Errorf("cannot open the control group %s: %w", name, fs.ErrNotExist)
	}
	return g, nil
}

// Close removes the folders of the instance that are empty, and undoes what was
// changed in our own group. Groups with living processes stay, for [Tree.Open] of
// a later owner. The Tree must not be used any more.
func (t *Tree) Close() error {
	if t.Kind() == None {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, h := range t.hierarchies {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}

func (h *hierarchy) close() error {
	var errs []error
	if h.dir != nil {
		errs = append(errs, h.leave(h.base, h.dir))
		h.dir = nil
	}
	for i, base := range h.elsewhere {
		errs = append(errs, h.leave(base, h.locks[i]))
	}
	h.elsewhere, h.locks = nil, nil
	return errors.Join(errs...)
}

// leave removes what is empty in the folder of an instance, unless another
// process uses it, too, and gives up the lock on it.
func (h *hierarchy) leave(base string, dir *os.File) error {
	defer dir.Close()
	if !alone(dir) {
		return nil
	}
	_, err := sweepGroups(base, nil)
	if err == nil && h.unified && base == h.base {
		err = h.moveBack()
	}
	return errors.Join(err, sweep(base, nil))
}

// sweep removes the groups in the folder of an instance that are empty, and the
// folder itself when nothing is left. It calls full for each that is not. The
// folder must be locked, and without it the lock is worth nothing.
func sweep(base string, full func(dir string)) error {
	left, err := sweepGroups(base, full)
	if left || err != nil {
		return err
	}
	return rmdir(base)
}

func sweepGroups(base string, full func(dir string)) (left bool, err error) {
	groups, err := folders(base)
	if err != nil {
		return false, err
	}
	for _, dir := range groups {
		err := remove(dir)
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
			left = true
			if full != nil && path.Base(dir) != selfFolder {
				full(dir)
			}
			continue
		}
		if err != nil {
			return left, err
		}
	}
	return left, nil
}
