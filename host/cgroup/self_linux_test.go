package cgroup_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/cgroup"
)

// spares are controllers with a file of each. Where version 1 has those that
// matter, the rules for handing controllers on are tried with one that does not.
func spares() [][2]string { return [][2]string{{"pids", "pids.max"}, {"hugetlb", "hugetlb.2MB.max"}} }

// spare gives a controller that version 2 has, and a file of it.
func spare(t *testing.T) (controller, file string) {
	text, err := os.ReadFile(path.Join(mountPoint(t), "cgroup.controllers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spares() {
		if slices.Contains(strings.Fields(string(text)), s[0]) {
			return s[0], s[1]
		}
	}
	t.Skip("version 2 has no controller here to try with")
	return "", ""
}

func groupOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return rest
		}
	}
	return ""
}

// liveInLeaf is a master inside a group that is not the root. It prints where it
// is, whether it made itself a leaf, and whether it got away without a trace.
func liveInLeaf(args []string) error {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	before := groupOf(os.Getpid())
	how, spare, file := args[1], args[2], args[3]
	if how == "crowded" {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			return err
		}
		defer c.Wait()
		defer c.Process.Kill()
	}
	tree := cgroup.FindWith(args[0], string(mountinfo), string(memberships), spare)
	g, err := tree.Make("inner", cgroup.Limits{})
	if err != nil {
		return err
	}
	dir := g.Folder()
	_, err = os.Stat(path.Join(dir, file))
	moved := groupOf(os.Getpid()) != before && path.Base(groupOf(os.Getpid())) == "self"
	fmt.Printf("controller=%v moved=%v", err == nil, moved)
	c := exec.Command("sleep", "1000")
	if err := startIn(g, c); err != nil {
		return err
	}
	fmt.Printf(" born=%v", path.Base(groupOf(c.Process.Pid)) == "inner.group")

	// A later master of the instance finds itself in the leaf.
	now, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	later := cgroup.FindWith(args[0], string(mountinfo), string(now), spare)
	again, err := later.Open("inner")
	if err != nil {
		return err
	}
	pids, err := again.Pids()
	fmt.Printf(" found=%v", err == nil && slices.Contains(pids, c.Process.Pid))
	if err := later.Close(); err != nil {
		return err
	}
	if err := g.Kill(); err != nil {
		return err
	}
	c.Wait()
	if err := g.Remove(); err != nil {
		return err
	}
	err = tree.Close()
	_, gone := os.Stat(path.Dir(dir))
	fmt.Printf(" back=%v gone=%v %v\n", groupOf(os.Getpid()) == before, os.IsNotExist(gone), err)
	return nil
}

func TestOurOwnProcessesMoveIntoALeaf(t *testing.T) {
	mountinfo, memberships := says(t)
	spare, file := spare(t)
	tree := cgroup.FindWith(instance(t), mountinfo, memberships, spare)
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
		// With other instances about, the root is left as it is.
		_ = os.WriteFile(path.Join(mountPoint(t), "cgroup.subtree_control"), []byte("-"+spare), 0)
	})
	outer, err := tree.Make("outer", cgroup.Limits{})
	if err != nil || outer.Folder() == "" {
		t.Skip("there is no version 2 that we may write to: ", err)
	}
	if _, err := os.Stat(path.Join(outer.Folder(), file)); err != nil {
		t.Skip("the ", spare, " controller cannot be had: ", err)
	}
	for _, c := range []struct{ how, want string }{
		{"alone", "controller=true moved=true born=true found=true back=true gone=true <nil>\n"},
		{"crowded", "controller=true moved=true born=true found=true back=true gone=true <nil>\n"},
	} {
		p, err := self("leaf", instance(t), c.how, spare, file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		p.Stdout = &out
		start(t, outer, p)
		if err := p.Wait(); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n got %swant %s", c.how, err, out.String(), c.want)
		}
	}
	t.Run("not beside strangers", func(t *testing.T) {
		stranger := exec.Command("sleep", "1000")
		start(t, outer, stranger)
		p, err := self("leaf", instance(t), "alone", spare, file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		p.Stdout = &out
		start(t, outer, p)
		const want = "controller=false moved=false born=true found=true back=true gone=true <nil>\n"
		if err := p.Wait(); err != nil || out.String() != want {
			t.Errorf("%v\n got %swant %s", err, out.String(), want)
		}
	})
	if err := outer.Kill(); err != nil {
		t.Error(err)
	}
	if err := outer.Gone(limit(t)); err != nil {
		t.Error(err)
	}
	if err := outer.Remove(); err != nil {
		t.Error(err)
	}
}

// TestDelegatedGroupIsUsedFromItsLeaf lives where a service manager has put us, a
// leaf of a group that it left to us.
func TestDelegatedGroupIsUsedFromItsLeaf(t *testing.T) {
	outer := group(t, find(t, instance(t)), "service", cgroup.Limits{})
	if outer.Folder() == "" {
		t.Skip("there is no version 2")
	}
	service := outer.Folder()
	leaf := path.Join(service, "main")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	for mark, want := range map[string]string{"0": leaf, "1": service} {
		if err := unix.Setxattr(service, "user.delegate", []byte(mark), 0); err != nil {
			t.Skip("groups have no attributes: ", err)
		}
		mountinfo, _ := says(t)
		root := mountPoint(t)
		tree := cgroup.FindIn(instance(t), without(mountinfo, " - cgroup "), "0::"+strings.TrimPrefix(leaf, root))
		g, err := tree.Make("any", cgroup.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := path.Dir(path.Dir(g.Folder())); got != want {
			t.Errorf("marked %s: made in %s, want %s", mark, got, want)
		}
		if err := errors.Join(g.Remove(), tree.Close()); err != nil {
			t.Error(err)
		}
	}
}

// mountPoint is where version 2 is mounted.
func mountPoint(t *testing.T) string {
	mountinfo, memberships := says(t)
	for line := range strings.Lines(cgroup.Places(mountinfo, memberships)) {
		if rest, ok := strings.CutPrefix(line, "v2 "); ok {
			point, _, _ := strings.Cut(rest, ": ")
			return point
		}
	}
	t.Skip("there is no version 2")
	return ""
}
