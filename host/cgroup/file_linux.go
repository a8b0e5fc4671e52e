package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's files are read and written with bare system calls: package os
// would put each of them into the poller first, which costs more than the rest.

// maxFile bounds what is read of one file. Only lists of processes grow; a
// million of them stay below.
const maxFile = 8 << 20

// readFile reads a file of the kernel that it writes in one go: what comes short
// was the end.
func readFile(name string) (string, error) { return read(name, true) }

// readList reads one that it writes piece by piece.
func readList(name string) (string, error) { return read(name, false) }

func read(name string, shortEnds bool) (string, error) {
	fd, err := open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var text []byte
	buf := make([]byte, 4096)
	for len(text) < maxFile {
		n, err := retry(func() (int, error) { return unix.Read(fd, buf) })
		if err != nil {
			return "", &os.PathError{Op: "read", Path: name, Err: err}
		}
		text = append(text, buf[:n]...)
		if n == 0 || shortEnds && n < len(buf) {
			break
		}
	}
	return string(text), nil
}

func writeFile(name, value string) error {
	fd, err := open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := retry(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &os.PathError{Op: "write " + strconv.Quote(value) + " to", Path: name, Err: err}
	}
	return nil
}

func open(name string, flags int) (int, error) {
	fd, err := retry(func() (int, error) { return unix.Open(name, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}

func exists(name string) bool { return unix.Access(name, unix.F_OK) == nil }

// missing tells of errors that say that a group is not there, or no more.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

// readPids reads a list of processes. Those that our namespace cannot name are
// left out.
func readPids(name string) ([]int, error) {
	text, err := readList(name)
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(text) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// others reads which processes are right in a group, but for us: version 1 lists
// us while a thread of ours that has entered a group is about to end.
func others(dir string) ([]int, error) {
	pids, err := readPids(path.Join(dir, "cgroup.procs"))
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() }), err
}

// readField reads the number behind key in a file of lines "key number".
func readField(name, key string) (int64, error) {
	text, err := readFile(name)
	if err != nil {
		return 0, err
	}
	n, ok := field(text, key)
	if !ok {
		return 0, fmt.Errorf("cannot find %s in %s", key, name)
	}
	return n, nil
}

func field(text, key string) (int64, bool) {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			n, err := strconv.ParseInt(v, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// readNumber reads a file of one number; "max" is the largest there is.
func readNumber(name string) (int64, error) {
	text, err := readFile(name)
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if text == "max" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot understand %s: %w", name, err)
	}
	return n, nil
}

// folders lists the groups right below dir, sorted. A dir that is not there has
// none.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	return names, nil
}

// remove takes a group away together with the empty ones below it. One that is
// not there is no error; one in which processes live is unix.EBUSY.
func remove(dir string) error {
	err := rmdir(dir)
	if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	below, listErr := folders(dir)
	if listErr != nil || len(below) == 0 {
		return err
	}
	for _, name := range below {
		if err := remove(name); err != nil {
			return err
		}
	}
	return rmdir(dir)
}

// A thread that has entered a group of version 1 may be about to end; nothing
// tells when it has.
const (
	rmdirTries = 12
	rmdirPause = 100 * time.Microsecond // doubled each time: 0.4 s in all
)

func rmdir(dir string) error {
	for try := 0; ; try++ {
		_, err := retry(func() (int, error) { return 0, unix.Rmdir(dir) })
		if err == nil || missing(err) {
			return nil
		}
		if err != unix.EBUSY || try == rmdirTries || occupied(dir) {
			return &os.PathError{Op: "remove", Path: dir, Err: err}
		}
		time.Sleep(rmdirPause << try)
	}
}

// occupied tells whether a group is in use for more than a moment.
func occupied(dir string) bool {
	if populated, err := readField(path.Join(dir, "cgroup.events"), "populated"); err == nil {
		return populated != 0
	}
	pids, err := others(dir)
	if err != nil || len(pids) > 0 {
		return true
	}
	below, err := nested(dir)
	return err != nil || len(below) > 0
}
