package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the time of the clock that children read as well.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // never fails
	return time.Duration(ts.Nano())
}

func sleepForever() {
	for {
		_ = unix.Pause()
	}
}

// apart makes a process the leader of a session of its own, so that an interrupt
// from the terminal reaches the benchmark alone.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// childrenOf lists the children of all threads of a process.
func childrenOf(pid int) []int {
	// The pattern is a good one, and what cannot be read has gone.
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var list []int
	for _, name := range files {
		text, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// family lists a process and all that descends from it.
func family(root int) []int {
	list := []int{root}
	for i := 0; i < len(list); i++ {
		list = append(list, childrenOf(list[i])...)
	}
	return list
}

// worksIn lists the processes whose working folder is dir or below it.
func worksIn(dir string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var list []int
	for _, link := range links {
		path, err := os.Readlink(link)
		if err != nil || path != dir && !strings.HasPrefix(path, dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// runs tells whether pid runs this executable. Between fork and exec a process
// still runs its parent's.
func runs(pid int, executable string) bool {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && path == executable
}

// cpuTime is what all threads of a process have used, ended ones included. The
// kernel keeps it in nanoseconds; /proc/PID/stat would round it to ticks.
func cpuTime(pid int) time.Duration {
	const cpuClockSched = 2
	var ts unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|cpuClockSched), &ts) != nil {
		return 0 // it has gone
	}
	return time.Duration(ts.Nano())
}

// memory is in bytes: what is resident, and the same with each shared page divided
// among those who share it.
func memory(pid int) (rss, pss int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) != 3 {
			continue
		}
		n, _ := strconv.ParseInt(words[1], 10, 64)
		switch words[0] {
		case "Rss:":
			rss = n << 10
		case "Pss:":
			pss = n << 10
		}
	}
	return rss, pss
}

// handle is a process that cannot be mistaken for another.
type handle int

func openProcess(pid int) (handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	return handle(fd), os.NewSyscallError("pidfd_open", err)
}

func (h handle) signal(s syscall.Signal) error {
	return os.NewSyscallError("pidfd_send_signal", unix.PidfdSendSignal(int(h), s, nil, 0))
}

// gone waits until the process has ended, at most for limit.
func (h handle) gone(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		fds := []unix.PollFd{{Fd: int32(h), Events: unix.POLLIN}}
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

func (h handle) close() { _ = unix.Close(int(h)) }

// makeFifo makes a named pipe.
func makeFifo(path string) error { return unix.Mkfifo(path, 0o600) }

// openFifo opens it without waiting for anybody: who waits there goes on.
func openFifo(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }
