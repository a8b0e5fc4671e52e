package probe

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/proc"
)

// maxDepth bounds how far the parents of a process are followed.
const maxDepth = 64

// lineageOf looks a process up. Of one that is gone nothing but the number is
// known.
func lineageOf(pid int) lineage {
	l := lineage{pid: pid, groups: groupsOf(pid)}
	l.invocation, _, _ = proc.Variable(pid, "INVOCATION_ID", nil)
	if session, err := unix.Getsid(pid); err == nil {
		l.session = session
	}
	self := os.Getpid()
	for p := proc.Parent(pid); p > 1 && p != self && len(l.parents) < maxDepth; p = proc.Parent(p) {
		l.parents = append(l.parents, p)
	}
	return l
}

// groupsOf gives the control groups of a process by their hierarchies.
func groupsOf(pid int) map[string]string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	groups := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		// Such as 4:memory:/a/b, or 0::/a/b.
		if id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":"); ok {
			if _, group, ok := strings.Cut(rest, ":"); ok {
				groups[id] = strings.TrimSuffix(group, " (deleted)")
			}
		}
	}
	return groups
}
