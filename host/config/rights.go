package config

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rights are what this process may do to those that it starts.
type rights struct {
	uid, gid int
	groups   []int
	// Capabilities: to become another user, to take more than its limits, to be
	// nicer to a process than to others.
	setuid, resource, niceness bool

	nice, oomScore int
	mostFiles      uint64                           // that a process may ever open
	limit          func(resource int) (hard uint64) // its own hard limits
}

// ownRights asks the system.
func ownRights() rights {
	r := rights{uid: os.Geteuid(), gid: os.Getegid(), mostFiles: Unlimited, limit: ownLimit}
	r.groups, _ = os.Getgroups() // none if they cannot be told
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if unix.Capget(&header, &caps[0]) == nil {
		has := func(bit int) bool { return caps[bit/32].Effective&(1<<(bit%32)) != 0 }
		r.setuid = has(unix.CAP_SETUID) && has(unix.CAP_SETGID)
		r.resource, r.niceness = has(unix.CAP_SYS_RESOURCE), has(unix.CAP_SYS_NICE)
	}
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		r.nice = 20 - raw // the system call, unlike the C library, gives 20 - nice
	}
	r.oomScore = int(number("/proc/self/oom_score_adj", 0))
	r.mostFiles = uint64(number("/proc/sys/fs/nr_open", 1<<62))
	return r
}

func ownLimit(resource int) uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil {
		return Unlimited
	}
	return l.Max
}

// number reads a file of the system that holds one.
func number(path string, otherwise int64) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return otherwise
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// become tells whether a process may be started as id.
func (r rights) become(id *Identity) error {
	if r.setuid {
		return nil
	}
	ours := func(gid int) bool { return gid == r.gid || slices.Contains(r.groups, gid) }
	same := id.UID == r.uid && id.GID == r.gid
	for _, gid := range id.Groups {
		same = same && ours(gid)
	}
	if !same {
		return fmt.Errorf("only root may start a process as somebody else; this is user %d", r.uid)
	}
	return nil
}

// mayNice tells whether a process may get a nice value.
func (r rights) mayNice(nice int) error {
	// RLIMIT_NICE counts from 20 downwards.
	if nice >= r.nice || r.niceness || uint64(20-nice) <= r.limit(unix.RLIMIT_NICE) {
		return nil
	}
	return fmt.Errorf("only root may go below %d", r.nice)
}

func (r rights) mayScore(score int) error {
	if score >= r.oomScore || r.resource {
		return nil
	}
	return fmt.Errorf("only root may go below %d", r.oomScore)
}

func (r rights) mayLimit(l Rlimit) error {
	if l.Resource == unix.RLIMIT_NOFILE && l.Hard > r.mostFiles {
		return fmt.Errorf("the system allows at most %d (fs.nr_open)", r.mostFiles)
	}
	if hard := r.limit(l.Resource); l.Hard > hard && !r.resource {
		return fmt.Errorf("only root may go above the hard limit %d", hard)
	}
	return nil
}
