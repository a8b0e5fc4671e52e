package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Children gives the children of a process, of all its threads, in no order to
// rely on. While others reap some of them, one may be left out.
func Children(pid int) []int {
	var pids []int
	var buf []byte
	for _, thread := range numbers(fmt.Sprintf("/proc/%d/task", pid)) {
		text, err := readWhole(fmt.Sprintf("/proc/%d/task/%d/children", pid, thread), buf)
		if err != nil {
			continue // the thread has ended
		}
		pids, buf = append(pids, ParsePids(text)...), text
	}
	return pids
}

// ParsePids understands numbers that stand between spaces.
func ParsePids(text []byte) (pids []int) {
	for field := range bytes.FieldsSeq(text) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Pids gives the numbers of all processes; without /proc there are none.
func Pids() []int { return numbers("/proc") }

// numbers gives the entries of a folder that are numbers.
func numbers(folder string) []int {
	dir, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Variable gives the value that a variable had when the program of a process began;
// empty if it had none, or if it is not ours to know. It is also empty, perhaps,
// while the process is becoming another program; then it takes another look. Of the
// environment the first 4 MiB count. buf is used, and given back if it grew.
func Variable(pid int, name string, buf []byte) (value string, becoming bool, grown []byte) {
	text, err := readWhole(fmt.Sprintf("/proc/%d/environ", pid), buf)
	if err != nil {
		return "", false, buf
	}
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if key, value, ok := bytes.Cut(entry, []byte("=")); ok && string(key) == name {
			return string(value), false, text
		}
	}
	return "", isBecoming(pid, len(text)), text
}

// isBecoming tells whether that much of the environment of a process may not be
// all, as the program to which it belongs was giving way to another one, or has
// done so since.
func isBecoming(pid, read int) bool {
	s, err := ReadStat(pid)
	return err == nil && !s.Gone() && !s.Kernel() && read != min(s.Environ, maxFile)
}

// maxFile bounds what is read of one file, in bytes.
const maxFile = 4 << 20

// readWhole reads a file of any length, up to maxFile; buf is used if it is large
// enough.
func readWhole(name string, buf []byte) ([]byte, error) {
	for size := max(cap(buf), 4<<10); ; size *= 4 {
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		text, err := read(name, buf[:size])
		if err != nil || len(text) < size || size >= maxFile {
			return text, err
		}
	}
}

// read reads a file as far as it fits into space. Package os would make a place in
// the poller for each.
func read(name string, space []byte) ([]byte, error) {
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	n := 0
	for n < len(space) {
		more, err := retry(func() (int, error) { return unix.Read(fd, space[n:]) })
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: name, Err: err}
		}
		if more == 0 {
			break
		}
		n += more
	}
	return space[:n], nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
