package proc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Stat is what /proc/PID/stat says, as far as it is of use here.
type Stat struct {
	State   byte // such as 'R', 'S', 'Z'
	Parent  int
	Group   int
	Session int
	Ticks   uint64 // of the clock from the start of the system to that of the process
	Environ int    // bytes of its environment; -1 in the middle of an exec, and for those who may not know
	Code    int    // wait status, once it has exited; 0 for those who may not know
}

// Gone tells whether nothing runs any more.
func (s Stat) Gone() bool { return s.State == 'Z' || s.State == 'X' }

// Kernel tells whether it is a thread of the kernel, which has no environment.
func (s Stat) Kernel() bool { return s.Session == 0 && s.Group == 0 }

// ReadStat fails for a process that does not exist, also if it ends meanwhile.
func ReadStat(pid int) (Stat, error) {
	var space [1024]byte // the line has at most 52 numbers
	text, err := read(fmt.Sprintf("/proc/%d/stat", pid), space[:])
	if err != nil {
		return Stat{}, err
	}
	return parseStat(text)
}

// Alive tells whether a process runs; one that has exited and was not reaped does
// not.
func Alive(pid int) bool {
	s, err := ReadStat(pid)
	return err == nil && !s.Gone()
}

// Parent gives the parent of a process, or 0.
func Parent(pid int) int {
	// What is gone has none.
	s, _ := ReadStat(pid)
	return s.Parent
}

// parseStat understands the line of a process whose name may be anything.
func parseStat(line []byte) (Stat, error) {
	end := bytes.LastIndexByte(line, ')')
	fields := strings.Fields(string(line[end+1:]))
	if end < 0 || len(fields) < 20 {
		return Stat{}, fmt.Errorf("cannot understand the state of a process: %q", line)
	}
	s := Stat{State: fields[0][0], Environ: -1}
	var errs []error
	for i, value := range []*int{&s.Parent, &s.Group, &s.Session} {
		var err error
		*value, err = strconv.Atoi(fields[1+i])
		errs = append(errs, err)
	}
	var err error
	s.Ticks, err = strconv.ParseUint(fields[19], 10, 64)
	errs = append(errs, err)
	if len(fields) > 49 {
		s.Environ, err = environ(fields)
		errs = append(errs, err)
		s.Code, err = strconv.Atoi(fields[49])
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Stat{}, fmt.Errorf("cannot understand the state of a process: %w", err)
	}
	return s, nil
}

// environ gives the size of the environment, -1 if it is not to be seen. While a
// program is loaded there is first none and then an empty one that grows; where its
// code ends is set after that. Who may not know it is told 1.
func environ(fields []string) (int, error) {
	var errs [3]error
	number := func(i, field int) (n uint64) {
		n, errs[i] = strconv.ParseUint(fields[field], 10, 64)
		return n
	}
	code, start, end := number(0, 24), number(1, 47), number(2, 48)
	if code <= 1 || end < start {
		return -1, errors.Join(errs[:]...)
	}
	return int(end - start), errors.Join(errs[:]...)
}
