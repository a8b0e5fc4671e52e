//go:build linux

package cgroup_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/dserver/dserver/host/cgroup"
)

// BenchmarkGroup makes a group, runs a process in it, and removes it; the
// difference to "none" is what the group costs.
func BenchmarkGroup(b *testing.B) {
	for _, c := range []struct {
		name string
		in   bool
		l    cgroup.Limits
	}{
		{"none", false, cgroup.Limits{}},
		{"plain", true, cgroup.Limits{}},
		{"pids", true, cgroup.Limits{Pids: 100}},
		{"all", true, cgroup.Limits{Pids: 100, Memory: 1 << 30, CPU: 2}},
	} {
		b.Run(c.name, func(b *testing.B) {
			tree := find(b, instance(b))
			for i := range b.N {
				var g *cgroup.Group
				if c.in {
					var err error
					if g, err = tree.Make(fmt.Sprintf("g-%d", i), c.l); err != nil {
						b.Fatal(err)
					}
				}
				p := exec.Command("/bin/true")
				if err := startIn(g, p); err != nil {
					b.Fatal(err)
				}
				if err := p.Wait(); err != nil {
					b.Fatal(err)
				}
				if err := g.Remove(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkThousand makes a thousand groups that are there at the same time, and
// removes them.
func BenchmarkThousand(b *testing.B) {
	tree := find(b, instance(b))
	groups := make([]*cgroup.Group, 1000)
	for b.Loop() {
		for i := range groups {
			g, err := tree.Make(fmt.Sprintf("g-%d", i), cgroup.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			groups[i] = g
		}
		for _, g := range groups {
			if err := g.Remove(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkEmpty looks whether anything lives in a group.
func BenchmarkEmpty(b *testing.B) {
	g := group(b, find(b, instance(b)), "empty", cgroup.Limits{})
	for b.Loop() {
		if empty, err := g.Empty(); !empty || err != nil {
			b.Fatal(empty, err)
		}
	}
}
