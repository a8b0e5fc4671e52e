package cgroup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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

	dir     *os.File // base, once it is made, locked against those who clean up
	changed bool     // we made our own group of version 2 pass controllers on

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
	var found []*hierarchy
	have := make(map[string]bool) // controllers, and "" for version 2
	for _, p := range locate(mountinfo, memberships, controllers) {
		if have[p.controller] || !p.usable() {
			continue
		}
		have[p.controller] = true
		if p.controller == "" {
			own := p.home(folder)
			found = append(found, &hierarchy{unified: true, controllers: passable(own, controllers), point: p.point, own: own, base: path.Join(own, folder)})
			continue
		}
		// Controllers can share a hierarchy.
		i := slices.IndexFunc(found, func(h *hierarchy) bool { return !h.unified && h.point == p.point })
		if i < 0 {
			i = len(found)
			found = append(found, &hierarchy{point: p.point, own: p.own, base: path.Join(p.own, folder)})
		}
		found[i].controllers = append(found[i].controllers, p.controller)
	}
	return found
}

// home is the group below which ours are made: our own, but for two cases. A
// former master of the instance may have moved us into its leaf; and a service
// manager may have put us into one, and marked the group above as ours to use.
func (p place) home(folder string) string {
	above := path.Dir(p.own)
	if path.Base(p.own) == selfFolder && path.Base(above) == folder {
		return path.Dir(above)
	}
	if p.own != p.point && delegated(above) && (place{point: p.point, own: above}).usable() {
		return above
	}
	return p.own
}

// delegated tells whether a service manager has left a group to whom it started.
func delegated(dir string) bool {
	for _, mark := range []string{"user.delegate", "trusted.delegate"} {
		var value [2]byte
		n, err := unix.Getxattr(dir, mark, value[:])
		if err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// usable tells whether we may make groups there. Something else may be mounted
// over what the kernel's list names.
func (p place) usable() bool {
	var stat unix.Statfs_t
	if _, err := retry(func() (int, error) { return 0, unix.Statfs(p.own, &stat) }); err != nil {
		return false
	}
	if p.controller != "" {
		return stat.Type == unix.CGROUP_SUPER_MAGIC && writable(p.own, unix.W_OK|unix.X_OK)
	}
	// Whoever puts processes elsewhere must be allowed to take them from here.
	return stat.Type == unix.CGROUP2_SUPER_MAGIC && writable(p.own, unix.W_OK|unix.X_OK) &&
		writable(path.Join(p.own, "cgroup.procs"), unix.W_OK)
}

func writable(name string, mode uint32) bool {
	return unix.Faccessat(unix.AT_FDCWD, name, mode, unix.AT_EACCESS) == nil
}

// passable gives those of the controllers that a group has, and could pass on.
func passable(group string, controllers []string) []string {
	text, err := readFile(path.Join(group, "cgroup.controllers"))
	there := strings.Fields(text)
	return slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return err != nil || !slices.Contains(there, c) })
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
	if h.dir != nil {
		return nil
	}
	if err := mkdir(h.base); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	dir, err := openDir(h.base)
	if err != nil {
		return err
	}
	share(dir)
	if !current(dir) {
		dir.Close()
		return fs.ErrNotExist
	}
	h.dir = dir
	return nil
}

func openDir(dir string) (*os.File, error) {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), dir), nil
}

func (h *hierarchy) release() {
	if h.dir != nil {
		h.dir.Close()
		h.dir = nil
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
