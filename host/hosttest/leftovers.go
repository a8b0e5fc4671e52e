package hosttest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dserver/dserver/host/rundir"
)

// goneLimit is how long processes may take to end after the one that held the
// instance has.
const goneLimit = 5 * time.Second

// end stops what runs, looks whether anything is left, and removes the folder.
func (in *Instance) end() {
	if in.Running() {
		if r := in.Run("stop"); r.Code != 0 {
			in.tb.Errorf("cannot stop: %v", r)
		}
	}
	in.AssertGone()
	in.checkLog()
	for _, p := range in.Processes() {
		_ = syscall.Kill(p.Pid, syscall.SIGKILL) // it may have ended by now
	}
	if err := os.RemoveAll(in.Folder); err != nil {
		in.tb.Error(err)
	}
}

// Running tells whether a process holds the instance.
func (in *Instance) Running() bool {
	dir, err := rundir.Root{Path: in.runtime}.Dir(Name)
	if err != nil {
		in.tb.Error(err)
		return false
	}
	status, err := dir.Peek()
	if err != nil {
		in.tb.Error(err)
	}
	return status.Running
}

// AssertGone fails the test if anything of the instance is left: a process, the
// lock, a socket, the pid file.
func (in *Instance) AssertGone() {
	in.tb.Helper()
	if err := until(goneLimit, func() bool { return len(in.Processes()) == 0 && !in.Running() }); err != nil {
		in.tb.Errorf("after the end, lock held %v, processes left: %v", in.Running(), in.Processes())
	}
	for _, path := range in.sockets() {
		in.tb.Errorf("after the end there is still the socket %s", path)
	}
	if _, err := os.Lstat(filepath.Join(in.runtime, Name, "pid")); err == nil {
		in.tb.Error("after the end there is still a pid file")
	}
}

// sockets lists the socket files in the folder.
func (in *Instance) sockets() (paths []string) {
	err := filepath.WalkDir(in.Folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		in.tb.Error(err)
	}
	return paths
}

// checkLog fails the test for what must never be in a log, and shows the end of
// the log of a test that has failed.
func (in *Instance) checkLog() {
	text, err := os.ReadFile(in.Log)
	if err != nil {
		return // it was never started
	}
	for _, bad := range []string{"DATA RACE", "fatal error:", "goroutine 1 ["} {
		if strings.Contains(string(text), bad) {
			in.tb.Errorf("the log has %q", bad)
		}
	}
	if in.tb.Failed() {
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		in.tb.Logf("the end of the log:\n%s", bytes.Join(lines[max(0, len(lines)-80):], []byte("\n")))
	}
}

// Process is a process of an instance.
type Process struct {
	Pid  int
	Args string
}

// String is for failure messages.
func (p Process) String() string { return fmt.Sprintf("%d %s", p.Pid, p.Args) }

// Processes lists the processes that were started by the instance or by verbs for
// it, by pid: those that have its mark in their environment or its folder in
// their arguments. Zombies are not among them.
func (in *Instance) Processes() (found []Process) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		in.tb.Error(err)
	}
	marked := []byte(mark + "=" + in.Folder + "\x00")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// What cannot be read has ended, or belongs to somebody else.
		environ, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		args, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if !bytes.Contains(append(environ, 0), marked) && !bytes.Contains(args, []byte(in.Folder+"/")) {
			continue
		}
		text := strings.TrimSpace(string(bytes.ReplaceAll(args, []byte{0}, []byte(" "))))
		found = append(found, Process{Pid: pid, Args: text})
	}
	slices.SortFunc(found, func(a, b Process) int { return a.Pid - b.Pid })
	return found
}
