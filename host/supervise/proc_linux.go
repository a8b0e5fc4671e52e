package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procStat is what /proc/PID/stat says, as far as it is of use here.
type procStat struct {
	state   byte // such as 'R', 'S', 'Z'
	parent  int
	group   int
	session int
	ticks   uint64 // of the clock from the start of the system to that of the process
	environ bool   // its environment is there; it is not in the middle of an exec, or for those who may not know
	code    int    // wait status, once it has exited; 0 for those who may not know
}

// gone tells whether nothing runs any more.
func (s procStat) gone() bool { return s.state == 'Z' || s.state == 'X' }

// kernel tells whether it is a thread of the kernel, which has no environment.
func (s procStat) kernel() bool { return s.session == 0 && s.group == 0 }

// readStat fails for a process that does not exist, also if it ends meanwhile.
func readStat(pid int) (procStat, error) {
	var space [1024]byte // the line has at most 52 numbers
	text, err := readProc(fmt.Sprintf("/proc/%d/stat", pid), space[:])
	if err != nil {
		return procStat{}, err
	}
	return parseStat(text)
}

// parseStat understands the line of a process whose name may be anything.
func parseStat(line []byte) (procStat, error) {
	end := bytes.LastIndexByte(line, ')')
	fields := strings.Fields(string(line[end+1:]))
	if end < 0 || len(fields) < 20 {
		return procStat{}, fmt.Errorf("cannot understand the state of a process: %q", line)
	}
	s := procStat{state: fields[0][0]}
	var errs []error
	for i, value := range []*int{&s.parent, &s.group, &s.session} {
		var err error
		*value, err = strconv.Atoi(fields[1+i])
		errs = append(errs, err)
	}
	var err error
	s.ticks, err = strconv.ParseUint(fields[19], 10, 64)
	errs = append(errs, err)
	if len(fields) > 49 {
		s.environ = fields[48] != "0"
		s.code, err = strconv.Atoi(fields[49])
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return procStat{}, fmt.Errorf("cannot understand the state of a process: %w", err)
	}
	return s, nil
}

// readProc reads a file of /proc as far as it fits into space. Package os would
// make a place in the poller for each.
func readProc(name string, space []byte) ([]byte, error) {
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

// readProcWhole reads a file of /proc of any length, up to 4 MiB; buf is used if
// it is large enough.
func readProcWhole(name string, buf []byte) ([]byte, error) {
	for size := max(cap(buf), 4<<10); ; size *= 4 {
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		text, err := readProc(name, buf[:size])
		if err != nil || len(text) < size || size >= 4<<20 {
			return text, err
		}
	}
}

// invocationOf gives the INVOCATION_ID that a process was started with; empty if
// it has none, or is not ours to know. buf is used, and given back if it grew.
func invocationOf(pid int, buf []byte) (id string, grown []byte) {
	text, err := readProcWhole(fmt.Sprintf("/proc/%d/environ", pid), buf)
	if err != nil {
		return "", buf
	}
	grown = text[:cap(text)]
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(invocationVariable)); ok {
			return string(value), grown
		}
	}
	return "", grown
}

// childrenOf gives the children of a process, of all its threads. While others
// reap some of them, one may be left out.
func childrenOf(pid int) []int {
	threads, err := os.Open(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	defer threads.Close()
	names, err := threads.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var pids []int
	var buf []byte
	for _, name := range names {
		pids, buf = readChildren(fmt.Sprintf("/proc/%d/task/%s/children", pid, name), pids, buf)
	}
	return pids
}

// readChildren adds the numbers in a file of a thread to pids. buf is used, and
// given back if it grew.
func readChildren(name string, pids []int, buf []byte) (all []int, grown []byte) {
	text, err := readProcWhole(name, buf)
	if err != nil {
		return pids, buf
	}
	return parsePids(text, pids), text[:0]
}

// parsePids adds numbers that stand between spaces to pids.
func parsePids(text []byte, pids []int) []int {
	for field := range bytes.FieldsSeq(text) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes gives the numbers of all processes; without /proc there are none.
func processes() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
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
