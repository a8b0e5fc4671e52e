package cgroup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The controllers that limits need.
const (
	memory = "memory"
	pids   = "pids"
	cpu    = "cpu"
)

func controllers() []string { return []string{memory, pids, cpu} }

// groupSuffix ends the folder of each group, so that no name collides with one of
// the kernel's files, such as "tasks".
const groupSuffix = ".group"

// selfFolder is the group of our own processes below the instance's folder. It
// has no suffix, so that no group can have its name.
const selfFolder = "self"

// hierarchy is one mounted tree of groups, seen from where we are in it.
type hierarchy struct {
	unified     bool
	controllers []string // of those that limits need; in version 2 those that our own group could pass on
	point       string   // where it is mounted
	own         string   // our own group
	base        string   // the folder of our instance in it

	dir    *os.File // base, once it is made
	locked bool     // dir is locked against those who clean up

	changed bool // we made our own group of version 2 pass controllers on

	elsewhere []string   // folders of our instance below other groups, in which something lives
	locks     []*os.File // on them
}

// folderName is the name of the folder of an instance: readable, and different
// for each.
func folderName(instance string) string {
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, path.Base(instance))
	sum := sha256.Sum256([]byte(instance))
	return fmt.Sprintf("dserver-%.32s-%x", label, sum[:4])
}

// survey finds the hierarchies that we can use: version 2 first, if it is there,
// then those of version 1 with one of the controllers.
func survey(mountinfo, memberships, folder string, controllers []string) []*hierarchy {
	mounts, groups := parseMounts(mountinfo), parseMemberships(memberships)
	var found []*hierarchy
	for _, m := range mounts {
		if h := unifiedHierarchy(m, groups, folder, controllers); h != nil {
			found = append(found, h)
			break
		}
	}
	for _, c := range controllers {
		for _, m := range mounts {
			if h := legacyHierarchy(m, groups, c, folder); h != nil {
				found = addController(found, h, c)
				break
			}
		}
	}
	return found
}

// addController adds h unless another controller has brought the same one.
func addController(found []*hierarchy, h *hierarchy, controller string) []*hierarchy {
	for _, f := range found {
		if f.point == h.point {
			f.controllers = append(f.controllers, controller)
			return found
		}
	}
	h.controllers = []string{controller}
	return append(found, h)
}

func unifiedHierarchy(m mount, groups []membership, folder string, controllers []string) *hierarchy {
	for _, g := range groups {
		if !m.unified || len(g.controllers) > 0 {
			continue
		}
		own, ok := m.below(g.path)
		if !ok {
			continue
		}
		// A former master of this instance may have moved us there.
		if path.Base(own) == selfFolder && path.Base(path.Dir(own)) == folder {
			own = path.Dir(path.Dir(own))
		}
		// Whoever puts processes elsewhere must be allowed to take them from here.
		if !usable(own, unix.CGROUP2_SUPER_MAGIC) || unix.Faccessat(unix.AT_FDCWD, path.Join(own, "cgroup.procs"), unix.W_OK, unix.AT_EACCESS) != nil {
			continue
		}
		return &hierarchy{unified: true, controllers: passable(own, controllers), point: m.point, own: own, base: path.Join(own, folder)}
	}
	return nil
}

// passable gives those of the controllers that a group has, and could pass on.
func passable(group string, controllers []string) []string {
	text, err := readFile(path.Join(group, "cgroup.controllers"))
	there := strings.Fields(text)
	return slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return err != nil || !slices.Contains(there, c) })
}

func legacyHierarchy(m mount, groups []membership, controller, folder string) *hierarchy {
	if m.unified || !slices.Contains(m.options, controller) {
		return nil
	}
	for _, g := range groups {
		if !slices.Contains(g.controllers, controller) {
			continue
		}
		if own, ok := m.below(g.path); ok && usable(own, unix.CGROUP_SUPER_MAGIC) {
			return &hierarchy{point: m.point, own: own, base: path.Join(own, folder)}
		}
	}
	return nil
}

// usable tells whether dir is a group in which we may make others. Something
// else may be mounted over what the kernel's list names.
func usable(dir string, magic int64) bool {
	var stat unix.Statfs_t
	_, err := retry(func() (int, error) { return 0, unix.Statfs(dir, &stat) })
	return err == nil && int64(stat.Type) == magic && unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// serves tells whether limits of this controller sit here.
func (h *hierarchy) serves(controller string) bool { return slices.Contains(h.controllers, controller) }

// makeTries is how often a group is tried to be made while others clean up.
const makeTries = 10

// make makes the group's folder, and that of the instance if it is not there. It
// tells whether the group was there already.
func (h *hierarchy) make(folder string) (dir string, old bool, err error) {
	for range makeTries {
		if err = h.hold(); err != nil {
			continue
		}
		dir = path.Join(h.base, folder)
		err = mkdir(dir)
		if errors.Is(err, os.ErrExist) {
			return dir, true, nil
		}
		if !missing(err) {
			return dir, false, err
		}
		h.release() // somebody has removed the folder of the instance
	}
	return dir, false, err
}

// hold makes sure that the folder of the instance is there, and locked against
// those who clean up after masters that are dead.
func (h *hierarchy) hold() error {
	if h.dir != nil && h.locked {
		return nil
	}
	h.release()
	if err := mkdir(h.base); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	fd, err := open(h.base, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	h.dir = os.NewFile(uintptr(fd), h.base)
	h.locked = lock(h.dir, unix.LOCK_SH)
	return nil
}

func (h *hierarchy) release() {
	if h.dir != nil {
		h.dir.Close()
		h.dir, h.locked = nil, false
	}
}

func mkdir(dir string) error {
	if _, err := retry(func() (int, error) { return 0, unix.Mkdir(dir, 0o755) }); err != nil {
		return &os.PathError{Op: "make", Path: dir, Err: err}
	}
	return nil
}

// find gives the folder of a group that is there, here or below another group in
// which a former master of the instance was started.
func (h *hierarchy) find(folder string) (string, bool) {
	for _, base := range append([]string{h.base}, h.elsewhere...) {
		if dir := path.Join(base, folder); exists(dir) {
			return dir, true
		}
	}
	return "", false
}
