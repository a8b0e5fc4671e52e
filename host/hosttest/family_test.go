package hosttest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/hosttest"
)

// family lists all processes that work in the folder of an instance, but those of
// the instance itself: also those that have hidden their environment.
func family(t *testing.T, in *hosttest.Instance) (pids []int) {
	t.Helper()
	folders, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is a good one
	for _, folder := range folders {
		where, err := os.Readlink(folder)
		if err != nil || where != in.Folder {
			continue // it has ended, or works elsewhere
		}
		exe, err := os.Readlink(filepath.Join(filepath.Dir(folder), "exe"))
		if err != nil || filepath.Dir(exe) == in.Folder {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// stat is what /proc says of a process.
type stat struct {
	pid, parent int
	state       string
}

func readStat(path string) (p stat, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return p, false // it has ended
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return p, false
	}
	p.state = fields[0]
	p.parent, err = strconv.Atoi(fields[1])
	if err == nil {
		p.pid, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
	}
	return p, err == nil
}

// childrenOf lists the children of a process.
func childrenOf(pid int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
	for _, path := range stats {
		if p, ok := readStat(path); ok && p.parent == pid {
			children = append(children, p.pid)
		}
	}
	return children
}

// zombiesBelow lists the dead among a process' children, and theirs.
func zombiesBelow(pid int) (found []int) {
	for _, child := range childrenOf(pid) {
		if p, ok := readStat(fmt.Sprintf("/proc/%d/stat", child)); ok && p.state == "Z" {
			found = append(found, child)
		}
		found = append(found, zombiesBelow(child)...)
	}
	return found
}
