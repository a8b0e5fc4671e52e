package cgroup

import (
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxVisited bounds how many groups are looked at for folders of our instance.
const maxVisited = 20_000

// Leftovers names the groups of a former owner that were not removed because
// something lives in them, sorted. [Tree.Open] gives them.
func (t *Tree) Leftovers() []string {
	if t == nil {
		return nil
	}
	return slices.Clone(t.leftovers)
}

// clean removes what dead owners of the instance left, in all hierarchies.
func (t *Tree) clean() {
	for _, h := range t.hierarchies {
		for _, base := range bases(h.point, path.Base(h.base)) {
			t.cleanBase(h, base)
		}
	}
	slices.Sort(t.leftovers)
	t.leftovers = slices.Compact(t.leftovers)
}

func (t *Tree) cleanBase(h *hierarchy, base string) {
	f, err := openDir(base)
	if err != nil {
		return
	}
	if alone(f) {
		// What cannot be removed now is removed at the next chance.
		_ = sweep(base, func(dir string) {
			t.leftovers = append(t.leftovers, strings.TrimSuffix(path.Base(dir), groupSuffix))
		})
	}
	// What is left of it is ours as well from now on.
	share(f)
	switch {
	case !current(f):
		f.Close()
	case base == h.base:
		h.dir = f
	default:
		h.elsewhere, h.locks = append(h.elsewhere, base), append(h.locks, f)
	}
}

// bases finds the folders of that name that belong to our user, anywhere below
// root: a former owner may have lived in another group than we do.
func bases(root, folder string) []string {
	var found []string
	queue := []string{root}
	for visited := 0; len(queue) > 0 && visited < maxVisited; visited++ {
		dir := queue[0]
		queue = queue[1:]
		var stat unix.Stat_t
		if unix.Lstat(dir, &stat) != nil {
			continue
		}
		if path.Base(dir) == folder && int(stat.Uid) == os.Geteuid() {
			found = append(found, dir)
			continue // there may be thousands of groups, and none of them is another folder
		}
		// The kernel counts the groups below one in its links.
		if stat.Nlink <= 2 {
			continue
		}
		// One that vanishes meanwhile has nothing of ours.
		below, _ := folders(dir)
		queue = append(queue, below...)
	}
	return found
}
