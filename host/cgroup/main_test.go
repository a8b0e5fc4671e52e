//go:build linux

package cgroup_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
	"github.com/dserver/dserver/internal/standin"
)

// standIns are the processes under test by name.
var standIns = map[string]func(args []string) error{
	"sleep":  sleepForEver,
	"escape": escape,
	"eat":    eat,
	"burn":   burn,

	"bomb":     bomb,
	"owner":    own,
	"ordinary": beOrdinary,
	"leaf":     liveInLeaf,
}

func TestMain(m *testing.M) {
	if code, is := standin.Run(standIns); is {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(standin.Settle(code)) }))
}

// idle waits to be killed.
func idle() error {
	for {
		time.Sleep(time.Hour)
	}
}

// sleepForEver says that it runs, and waits to be killed.
func sleepForEver([]string) error {
	fmt.Println("ready")
	return idle()
}

// escape starts processes that do all they can to get away: out of the session,
// and, their parents being dead, out of the tree.
func escape(args []string) error {
	depth, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if depth == 0 {
		fmt.Println("ready")
		return idle()
	}
	c, err := self("escape", strconv.Itoa(depth-1))
	if err != nil {
		return err
	}
	c.Stdout = os.Stdout
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return err
	}
	if depth%2 == 0 {
		os.Exit(0)
	}
	return idle()
}

func self(name string, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(path, args...)
	c.Env = append(standin.Environ(name), "GOMAXPROCS=2")
	c.Stderr = os.Stderr
	return c, nil
}

// instance gives a name that no other test has. When the test has ended, nothing
// may be left of it.
func instance(t testing.TB) string {
	name := t.TempDir()
	t.Cleanup(func() {
		if left := traces(t, name); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return name
}

// find gives the Tree of an instance.
func find(t testing.TB, instance string) *cgroup.Tree {
	t.Helper()
	tree, err := cgroup.Find(instance)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Kind() == cgroup.None {
		t.Skip("no control group here can be written to")
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

// traces finds all folders of an instance, wherever hierarchies are mounted.
func traces(t testing.TB, instance string) []string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(mounts)) {
		if !strings.Contains(line, " - cgroup") {
			continue
		}
		filepath.WalkDir(strings.Fields(line)[4], func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Name() == cgroup.FolderName(instance) {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}

func group(t testing.TB, tree *cgroup.Tree, name string, l cgroup.Limits) *cgroup.Group {
	t.Helper()
	g, err := tree.Make(name, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		if err := g.Gone(limit(t)); err != nil {
			t.Error(err)
		}
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// limit is how long anything in a test may take.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start runs a process in a group, from its first instruction on.
func start(t testing.TB, g *cgroup.Group, c *exec.Cmd) {
	t.Helper()
	if err := startIn(g, c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
}

func startIn(g *cgroup.Group, c *exec.Cmd) error {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	dir, err := g.Directory()
	if err != nil {
		return err
	}
	if dir != nil {
		defer dir.Close()
		c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	if !g.Threaded() {
		return c.Start()
	}
	return onOwnThread(func() error {
		if err := g.Enter(); err != nil {
			return err
		}
		return c.Start()
	})
}

// onOwnThread calls f on a thread that ends afterwards.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// While we hold the main thread, others get another one.
			defer runtime.UnlockOSThread()
			done <- onOwnThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}

// run starts a stand-in in a group and waits until it says that it is ready.
func run(t testing.TB, g *cgroup.Group, name string, args ...string) *exec.Cmd {
	t.Helper()
	c, err := self(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout = w
	start(t, g, c)
	w.Close()
	text := make([]byte, 6)
	if _, err := io.ReadFull(r, text); err != nil || string(text) != "ready\n" {
		t.Fatalf("%s said %q, %v", name, text, err)
	}
	return c
}

// awaitDead returns when the process has exited.
func awaitDead(t testing.TB, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000); n != 1 {
		t.Fatalf("process %d lives on: %v", pid, err)
	}
}
