package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handleLimits adds to the routes what a worker may, and attempts to have more.
func handleLimits(mux *http.ServeMux) {
	for name, attempt := range map[string]func() string{
		"show": showLimits, "files": tryFiles, "processes": tryProcesses, "memory": tryMemory, "cpu": tryCPU,
	} {
		mux.HandleFunc("GET /limits/"+name, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, attempt()) })
	}
}

// showLimits tells it in the words of testdata/limits.py.
func showLimits() string {
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("uid=%d gid=%d umask=%03o nice=%d no_new_privs=%s oom=%s home=%s",
		os.Getuid(), os.Getgid(), mask, 20-nice, // the system call gives 1 to 40, so that it is no error
		field("/proc/self/status", "NoNewPrivs:"), field("/proc/self/oom_score_adj", ""), os.Getenv("HOME"))
}

// field gives what stands behind a word in the first line that begins with it.
func field(file, word string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func tryFiles() string {
	var held []*os.File
	defer func() {
		for _, f := range held {
			f.Close()
		}
	}()
	for len(held) < 500 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Sprintf("opened %d: %v", len(held), err)
		}
		held = append(held, f)
	}
	return fmt.Sprintf("opened %d", len(held))
}

func tryProcesses() string {
	var held []*exec.Cmd
	defer func() {
		for _, c := range held {
			_ = c.Process.Kill()
			_ = c.Wait() // it was killed
		}
	}()
	for len(held) < 200 {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			return fmt.Sprintf("forked %d: %v", len(held), err)
		}
		held = append(held, c)
	}
	return fmt.Sprintf("forked %d", len(held))
}

// tryMemory uses half a gigabyte.
func tryMemory() string {
	var held [][]byte
	for range 64 {
		block := make([]byte, 8<<20)
		for i := range block {
			block[i] = byte(i)
		}
		held = append(held, block)
	}
	return fmt.Sprintf("allocated %d MiB", 8*len(held))
}

func tryCPU() string {
	before, began := spentCPU(), time.Now()
	for time.Since(began) < 2*time.Second {
	}
	return fmt.Sprintf("spent %d ms of 2000", (spentCPU() - before).Milliseconds())
}

func spentCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
