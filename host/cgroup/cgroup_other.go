//go:build !linux

package cgroup

import (
	"context"
	"os"
)

// Tree is what an instance can do with groups; here it is nothing.
type Tree struct{}

// Find finds nothing.
func Find(string) (*Tree, error) { return &Tree{}, nil }

// Kind is [None].
func (t *Tree) Kind() Kind { return None }

// Leftovers are none.
func (t *Tree) Leftovers() []string { return nil }

// Lacks names all limits in l.
func (t *Tree) Lacks(l Limits) []string {
	var list []string
	for _, limit := range []struct {
		wanted bool
		name   string
	}{{l.Memory > 0, "memory"}, {l.MemoryHigh > 0, "memory_high"}, {l.CPU > 0, "cpu"}, {l.Pids > 0, "pids"}} {
		if limit.wanted {
			list = append(list, limit.name+" is not enforced: this system has no control groups")
		}
	}
	return list
}

// Make gives nil.
func (t *Tree) Make(string, Limits) (*Group, error) { return nil, nil }

// Open gives nil.
func (t *Tree) Open(string) (*Group, error) { return nil, nil }

// Close does nothing.
func (t *Tree) Close() error { return nil }

// Group is a control group, of which there is none here.
type Group struct{}

// Name is empty.
func (g *Group) Name() string { return "" }

// Directory is nil.
func (g *Group) Directory() (*os.File, error) { return nil, nil }

// Threaded is false.
func (g *Group) Threaded() bool { return false }

// Enter does nothing.
func (g *Group) Enter() error { return nil }

// Pids finds nothing.
func (g *Group) Pids() ([]int, error) { return nil, nil }

// Empty is true.
func (g *Group) Empty() (bool, error) { return true, nil }

// Kill does nothing.
func (g *Group) Kill() error { return nil }

// Gone returns at once.
func (g *Group) Gone(context.Context) error { return nil }

// Set does nothing.
func (g *Group) Set(Limits) error { return nil }

// OOMKills are none.
func (g *Group) OOMKills() (int, error) { return 0, nil }

// Usage is not told.
func (g *Group) Usage() (Usage, error) { return Usage{}, nil }

// High waits until ctx ends.
func (g *Group) High(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Remove does nothing.
func (g *Group) Remove() error { return nil }
