package config

import (
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwnRights asks the system about a thread that is nicer than others.
func TestOwnRights(t *testing.T) {
	done := make(chan rights)
	go func() {
		runtime.LockOSThread() // and never unlocks, so that the thread ends with its nice value
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 7); err != nil {
			t.Error(err)
		}
		done <- ownRights()
	}()
	r := <-done
	if r.uid != os.Geteuid() || r.gid != os.Getegid() || r.nice != 7 {
		t.Errorf("uid %d, gid %d, nice %d", r.uid, r.gid, r.nice)
	}
	if groups, err := os.Getgroups(); err != nil || !slices.Equal(groups, r.groups) {
		t.Errorf("groups %v, %v, want %v", r.groups, err, groups)
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || r.limit(unix.RLIMIT_NOFILE) != l.Max {
		t.Errorf("nofile %d, %v, want %d", r.limit(unix.RLIMIT_NOFILE), err, l.Max)
	}
	if r.limit(9999) != Unlimited {
		t.Error("a resource that nobody knows is limited")
	}
	if r.mostFiles < 1024 || r.mostFiles < l.Max {
		t.Errorf("a process may open %d files at most, but it has a limit of %d", r.mostFiles, l.Max)
	}
	if r.oomScore < -1000 || r.oomScore > 1000 {
		t.Errorf("oom_score_adj %d", r.oomScore)
	}
	if err := r.mayNice(7); err != nil {
		t.Error(err)
	}
	// What one is already needs no right.
	if err := r.become(&Identity{UID: r.uid, GID: r.gid, Groups: r.groups}); err != nil {
		t.Error(err)
	}
}

// TestRights: each of them gives what it is for, and no other does.
func TestRights(t *testing.T) {
	none := rights{uid: 5, gid: 6, groups: []int{7}, nice: 3, oomScore: 100, mostFiles: 1000, limit: func(int) uint64 { return 15 }}
	root := none
	root.setuid, root.resource, root.niceness = true, true, true
	for _, test := range []struct {
		what string
		ask  func(r rights) error
		want bool // of none
		root bool
	}{
		{"itself", func(r rights) error { return r.become(&Identity{UID: 5, GID: 6, Groups: []int{6, 7}}) }, true, true},
		{"another user", func(r rights) error { return r.become(&Identity{UID: 1, GID: 6}) }, false, true},
		{"another group", func(r rights) error { return r.become(&Identity{UID: 5, GID: 7}) }, false, true},
		{"a group more", func(r rights) error { return r.become(&Identity{UID: 5, GID: 6, Groups: []int{8}}) }, false, true},
		{"the same nice", func(r rights) error { return r.mayNice(3) }, true, true},
		{"nice within RLIMIT_NICE", func(r rights) error { r.nice = 10; return r.mayNice(5) }, true, true},
		{"nice below RLIMIT_NICE", func(r rights) error { r.nice = 10; return r.mayNice(4) }, false, true},
		{"a worse score", func(r rights) error { return r.mayScore(100) }, true, true},
		{"a better score", func(r rights) error { return r.mayScore(99) }, false, true},
		{"a limit below", func(r rights) error { return r.mayLimit(Rlimit{Resource: unix.RLIMIT_CORE, Hard: 15}) }, true, true},
		{"a limit above", func(r rights) error { return r.mayLimit(Rlimit{Resource: unix.RLIMIT_CORE, Hard: 16}) }, false, true},
		{"more files than there may be", func(r rights) error { return r.mayLimit(Rlimit{Resource: unix.RLIMIT_NOFILE, Hard: 1001}) }, false, false},
	} {
		if err := test.ask(none); (err == nil) != test.want {
			t.Errorf("%s, without rights: %v", test.what, err)
		}
		if err := test.ask(root); (err == nil) != test.root {
			t.Errorf("%s, with all rights: %v", test.what, err)
		}
	}
}
