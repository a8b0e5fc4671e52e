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
func (g *Group) Directory() *os.File { return nil }

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

// Remove does nothing.
func (g *Group) Remove() error { return nil }
