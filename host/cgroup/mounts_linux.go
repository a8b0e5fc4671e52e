package cgroup

import (
	"path"
	"slices"
	"strings"
)

// mount is one mounted hierarchy.
type mount struct {
	unified bool     // of version 2
	options []string // of the file system; in version 1 the controllers are among them
	root    string   // the group that is seen at point
	point   string
}

// parseMounts finds the hierarchies in the text of /proc/self/mountinfo, in its
// order. Lines that it does not understand are left out.
func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		// Between the two parts there may be any number of optional fields.
		left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		front, back := strings.Split(left, " "), strings.Split(right, " ")
		if !ok || len(front) < 6 || len(back) < 3 {
			continue
		}
		if back[0] != "cgroup" && back[0] != "cgroup2" {
			continue
		}
		mounts = append(mounts, mount{
			unified: back[0] == "cgroup2",
			options: strings.Split(back[2], ","),
			root:    unescape(front[3]),
			point:   unescape(front[4]),
		})
	}
	return mounts
}

// unescape undoes \040 and the like.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '7' })
}

// membership is which group a process is in, in one hierarchy.
type membership struct {
	controllers []string // none for version 2
	path        string
}

// parseMemberships reads the text of /proc/PID/cgroup.
func parseMemberships(text string) []membership {
	var list []membership
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		m := membership{path: parts[2]}
		if parts[1] != "" {
			m.controllers = strings.Split(parts[1], ",")
		} else if parts[0] != "0" {
			continue
		}
		list = append(list, m)
	}
	return list
}

// below gives the folder in which the group is seen through m. It cannot be seen
// when m shows another part of the tree, nor when it has been removed.
func (m mount) below(group string) (string, bool) {
	if strings.HasSuffix(group, " (deleted)") || escapes(group) || escapes(m.root) {
		return "", false
	}
	if m.root == "/" {
		return path.Join(m.point, group), true
	}
	if group == m.root {
		return m.point, true
	}
	rest, ok := strings.CutPrefix(group, m.root+"/")
	return path.Join(m.point, rest), ok
}

// escapes tells of a path outside of what our namespace may see.
func escapes(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }

// place is our own group as it is seen through one mount.
type place struct {
	controller string // empty in version 2
	point      string // where the hierarchy is mounted
	own        string // the folder of our group
}

// locate gives the places where we could be found, the better ones first: version
// 2 before version 1, and there the controllers in the order given.
func locate(mountinfo, memberships string, controllers []string) []place {
	mounts, groups := parseMounts(mountinfo), parseMemberships(memberships)
	var places []place
	for _, c := range append([]string{""}, controllers...) {
		for _, m := range mounts {
			for _, g := range groups {
				if !m.serves(c) || !g.serves(c) {
					continue
				}
				if own, ok := m.below(g.path); ok {
					places = append(places, place{controller: c, point: m.point, own: own})
				}
			}
		}
	}
	return places
}

func (m mount) serves(controller string) bool {
	if controller == "" {
		return m.unified
	}
	return !m.unified && slices.Contains(m.options, controller)
}

func (m membership) serves(controller string) bool {
	if controller == "" {
		return len(m.controllers) == 0
	}
	return slices.Contains(m.controllers, controller)
}
