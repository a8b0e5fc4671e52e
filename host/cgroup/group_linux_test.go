package cgroup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/internal/proc"
)

func TestProcessIsBornInItsGroup(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "born", cgroup.Limits{})
	c := run(t, g, "sleep")
	pids, err := g.Pids()
	if err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("got %v, %v, want only %d", pids, err, c.Process.Pid)
	}
	if slices.Contains(pids, os.Getpid()) {
		t.Error("we are in the group ourselves")
	}
	if empty, err := g.Empty(); empty || err != nil {
		t.Errorf("got %v, %v", empty, err)
	}
}

func TestKillReachesWhoeverFled(t *testing.T) {
	tree := find(t, instance(t))
	for _, l := range []cgroup.Limits{{}, {Pids: 1000}} {
		g := group(t, tree, "flight", l)
		run(t, g, "escape", "8")
		pids, err := g.Pids()
		if err != nil || len(pids) < 4 {
			t.Fatalf("got %v, %v, want at least 4 processes", pids, err)
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := g.Gone(limit(t)); err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			if proc.Alive(pid) {
				t.Errorf("process %d lives on", pid)
			}
		}
	}
}

func TestGoneEndsWithItsContext(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "long", cgroup.Limits{})
	run(t, g, "sleep")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.Gone(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestGroupServesOneTreeAfterTheOther(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "again", cgroup.Limits{Pids: 1000})
	for range 3 {
		c := run(t, g, "sleep")
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := g.Gone(limit(t)); err != nil {
			t.Fatal(err)
		}
		if proc.Alive(c.Process.Pid) {
			t.Fatal("it lives on")
		}
	}
}

func TestRemoveRefusesWhileSomethingLives(t *testing.T) {
	tree := find(t, instance(t))
	g := group(t, tree, "busy", cgroup.Limits{})
	run(t, g, "sleep")
	if err := g.Remove(); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "live in it") {
		t.Errorf("got %v", err)
	}
}

func TestOpenGivesWhatIsThere(t *testing.T) {
	name := instance(t)
	g := group(t, find(t, name), "kept", cgroup.Limits{Pids: 1000})
	c := run(t, g, "sleep")
	later := find(t, name)
	again, err := later.Open("kept")
	if err != nil {
		t.Fatal(err)
	}
	pids, err := again.Pids()
	if err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("got %v, %v", pids, err)
	}
	if again.Threaded() != g.Threaded() || again.Name() != "kept" {
		t.Error("it is another one")
	}
	if _, err := later.Open("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	tree := find(t, instance(t))
	for _, name := range []string{"", ".", "..", "a/b", "../a", "a b", "a\n", "ü", "memory.max", strings.Repeat("x", 201)} {
		if g, err := tree.Make(name, cgroup.Limits{}); err == nil {
			t.Errorf("%q was made", name)
			g.Remove()
		}
		if _, err := tree.Open(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Names of the kernel's files are names like others.
	for _, name := range []string{"tasks", "self", "notify_on_release"} {
		group(t, tree, name, cgroup.Limits{Pids: 10, Memory: 1 << 30, CPU: 1})
	}
}

func TestNoGroupDoesNothing(t *testing.T) {
	var g *cgroup.Group
	if g.Name() != "" || g.Folder() != "" || g.Threaded() {
		t.Error("it is something")
	}
	if pids, err := g.Pids(); pids != nil || err != nil {
		t.Error(pids, err)
	}
	if empty, err := g.Empty(); !empty || err != nil {
		t.Error(empty, err)
	}
	for _, err := range []error{g.Enter(), g.Kill(), g.Gone(t.Context()), g.Set(cgroup.Limits{Pids: 1}), g.Remove()} {
		if err != nil {
			t.Error(err)
		}
	}
}
