//go:build linux

package cgroup

import (
	"fmt"
	"strings"
)

// FolderName is the name of an instance's folder in every hierarchy.
func FolderName(instance string) string { return folderName(instance) }

// Places prints where we would be found, one place a line.
func Places(mountinfo, memberships string) string {
	var b strings.Builder
	for _, p := range locate(mountinfo, memberships, controllers()) {
		name := p.controller
		if name == "" {
			name = "v2"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", name, p.point, p.own)
	}
	return b.String()
}

// FindIn is Find with texts of the caller's in place of those of the kernel.
func FindIn(instance, mountinfo, memberships string) *Tree {
	return find(instance, mountinfo, memberships, controllers())
}

// FindWith is Find for other controllers than those that limits need.
func FindWith(instance, mountinfo, memberships string, controllers ...string) *Tree {
	return find(instance, mountinfo, memberships, controllers)
}

// Folder is the path of the group in version 2; empty if there is none.
func (g *Group) Folder() string {
	if len(g.list()) == 0 || !g.tracker().unified {
		return ""
	}
	return g.tracker().dir
}

// KillEach is Kill as it works without cgroup.kill.
func (g *Group) KillEach() error { return g.killEach() }
