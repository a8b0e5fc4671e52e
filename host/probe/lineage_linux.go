package probe

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxDepth bounds how far the parents of a process are followed.
const maxDepth = 64

// lineageOf looks a process up. Of one that is gone nothing but the number is
// known.
func lineageOf(pid int) lineage {
	l := lineage{pid: pid, groups: groupsOf(pid), invocation: invocationOf(pid)}
	if session, err := unix.Getsid(pid); err == nil {
		l.session = session
	}
	self := os.Getpid()
	for p := parent(pid); p > 1 && p != self && len(l.parents) < maxDepth; p = parent(p) {
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

// maxEnviron bounds how much of an environment is looked at.
const maxEnviron = 1 << 20

// invocationOf gives what a process has had as INVOCATION_ID when its program began.
func invocationOf(pid int) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	if err != nil {
		return ""
	}
	for entry := range strings.SplitSeq(string(text), "\x00") {
		if value, ok := strings.CutPrefix(entry, "INVOCATION_ID="); ok {
			return value
		}
	}
	return ""
}

// parent gives the parent of a process, or 0.
func parent(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may have anything in it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return n
}

// children gives the children of a process, sorted.
func children(pid int) []int {
	// The pattern is well-formed, which is the only error there is.
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	slices.Sort(pids)
	return pids
}
