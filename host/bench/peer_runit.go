package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// serviceFolders writes one folder for each task, with an executable "run", below
// the folder sv; logger gives the script of its logger, which runs where the output
// matters. Folders known to neither runit nor s6 are not made.
func serviceFolders(j job, before string, logger func(dir string) string, more func(service string) error) error {
	for _, t := range j.tasks {
		service := j.path(filepath.Join("sv", t.Name))
		if err := os.MkdirAll(service, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(service, "run"), []byte(script(before, j.direct(t))), 0o700); err != nil {
			return err
		}
		if err := more(service); err != nil {
			return err
		}
		if !j.logs {
			continue
		}
		logs := filepath.Join(j.logDir(), t.Name)
		if err := errors.Join(os.MkdirAll(filepath.Join(service, "log"), 0o700), os.MkdirAll(logs, 0o700)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(service, "log", "run"), []byte(logger(logs)), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(os.MkdirAll(j.path("sv"), 0o700), os.MkdirAll(j.logDir(), 0o700))
}

// direct is how the run script starts a task: it needs no other script.
func (j job) direct(t task) []string { return append([]string{j.program}, t.Args[1:]...) }

// folders lists the folders of all tasks.
func folders(j job) []string {
	list := make([]string, len(j.tasks))
	for i, t := range j.tasks {
		list[i] = j.path(filepath.Join("sv", t.Name))
	}
	return list
}

// runitPeer is runit: runsvdir, and a runsv for each task. It always runs a task
// again; a task that ran for less than a second waits for the rest of it.
type runitPeer struct{}

func (runitPeer) name() string { return "runit" }
func (runitPeer) find() error  { return installed("runit", "runsvdir", "runsv", "sv", "svlogd") }

func (runitPeer) prepare(j job) error {
	logger := func(dir string) string { return script("", []string{"svlogd", dir}) }
	return serviceFolders(j, "", logger, func(service string) error {
		if !j.logs {
			return nil
		}
		// Rotation off: svlogd would cut lines of the benchmark off the end.
		dir := filepath.Join(j.logDir(), filepath.Base(service))
		return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "config"), []byte("s0\n"), 0o600))
	})
}

func (runitPeer) launch(_ context.Context, j job) (instance, error) {
	pid, err := foreground(j, "runsvdir", "-P", j.path("sv"))
	if err != nil {
		return nil, err
	}
	// Its number may be somebody else's when it is told to stop. The descriptor
	// stays open as long as the benchmark runs.
	h, err := openProcess(pid)
	return runitInstance{pid: pid, handle: h, job: j}, err
}

type runitInstance struct {
	pid    int
	handle handle
	job    job
}

func (i runitInstance) root() int    { return i.pid }
func (i runitInstance) logs() string { return i.job.logDir() }

// status reads the files in which each runsv keeps, in its last byte, whether its
// task runs.
func (i runitInstance) status(context.Context) (func() (int, error), error) {
	return statusFiles(i.job, func(b []byte) bool { return len(b) == 20 && b[19] == 1 })
}

func statusFiles(j job, up func(status []byte) bool) (func() (int, error), error) {
	n := 0
	for _, dir := range folders(j) {
		b, err := os.ReadFile(filepath.Join(dir, "supervise", "status"))
		if err != nil {
			return nil, err
		}
		if up(b) {
			n++
		}
	}
	return func() (int, error) { return n, nil }, nil
}

func (i runitInstance) command() []string { return append([]string{"sv", "status"}, folders(i.job)...) }

// stop makes runsvdir end every runsv, and these their tasks.
func (i runitInstance) stop(context.Context) error { return i.handle.signal(syscall.SIGHUP) }

func (i runitInstance) state(context.Context) (string, error) {
	b, err := os.ReadFile(filepath.Join(folders(i.job)[0], "supervise", "stat"))
	return string(bytes.TrimSpace(b)), err
}

// s6Peer is s6: s6-svscan, and an s6-supervise for each task. It runs a task again
// at once if the task has said that it is ready, which the run script does here.
type s6Peer struct{}

func (s6Peer) name() string { return "s6" }
func (s6Peer) find() error {
	return installed("s6", "s6-svscan", "s6-svscanctl", "s6-supervise", "s6-svstat", "s6-log")
}

func (s6Peer) prepare(j job) error {
	before := "echo >&3\nexec 3>&-\n"
	if j.policy == defaults {
		before = ""
	}
	logger := func(dir string) string { return script("", []string{"s6-log", "n1000", "s268435455", dir}) }
	return serviceFolders(j, before, logger, func(service string) error {
		if j.policy == defaults {
			return nil
		}
		return os.WriteFile(filepath.Join(service, "notification-fd"), []byte("3\n"), 0o600)
	})
}

func (s6Peer) launch(_ context.Context, j job) (instance, error) {
	pid, err := foreground(j, "s6-svscan", "-c", "4096", j.path("sv"))
	return s6Instance{pid: pid, job: j}, err
}

type s6Instance struct {
	pid int
	job job
}

func (i s6Instance) root() int    { return i.pid }
func (i s6Instance) logs() string { return i.job.logDir() }

// status reads the files in which each s6-supervise keeps, in its bytes from 24 on,
// the pid of its task.
func (i s6Instance) status(context.Context) (func() (int, error), error) {
	return statusFiles(i.job, func(b []byte) bool { return len(b) >= 32 && [8]byte(b[24:32]) != [8]byte{} })
}

func (i s6Instance) command() []string {
	return append([]string{"sh", "-c", `for dir do s6-svstat "$dir"; done`, "sh"}, folders(i.job)...)
}

func (i s6Instance) stop(ctx context.Context) error {
	_, err := output(ctx, "s6-svscanctl", "-t", i.job.path("sv"))
	return err
}

func (i s6Instance) state(ctx context.Context) (string, error) {
	out, err := output(ctx, "s6-svstat", folders(i.job)[0])
	state, _, _ := strings.Cut(string(bytes.TrimSpace(out)), " ")
	return state, err
}
