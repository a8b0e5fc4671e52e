//go:build linux

package program_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/proc"
	"github.com/dserver/dserver/internal/standin"
)

// standIns are the programs under test by name.
var standIns = map[string]func(args []string) error{
	"family":   raiseFamily,
	"newline":  sayNewline,
	"eat":      eatMemory,
	"listen":   tellSockets,
	"identity": tellIdentity,
	"master":   masterOf,
	"say":      say,
	"sayonce":  sayOnce,
	"daemon":   forkAway,
	"beat":     beat,
	"http":     serveHTTP,
	"serve":    serveSocket,
}

func TestMain(m *testing.M) {
	if code, is := standin.Run(standIns); is {
		os.Exit(code)
	}
	if err := errors.Join(inherit.CloseOnExec(), supervise.Subreap()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.Cleanup(endTests))
}

// endTests fails the run if a process of ours is left alive.
func endTests(code int) {
	for _, pid := range descendants(os.Getpid()) {
		if proc.Alive(pid) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			fmt.Fprintf(os.Stderr, "process %d is left: %q\n", pid, line)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// descendants are the processes below pid, dead ones included.
func descendants(pid int) []int {
	var all []int
	for _, child := range proc.Children(pid) {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

// raiseFamily starts children that do what they can to outlive their parent: in its
// group, in a group and in a session of their own, and orphaned. All hold its output.
// Their pids go into the file that is its argument.
func raiseFamily(args []string) error {
	script := `
sleep 1000 & a=$!
setsid sleep 1001 & b=$!
( setsid sh -c 'sleep 1002 & echo $! >>"$1"; wait' sh "$1" & )
trap "" TERM HUP INT
sh -c 'trap "" TERM; sleep 1003; sleep 1004' & c=$!
echo $a $b $c >>"$1"
`
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script, "sh", args[0]}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGHUP)
	for {
		time.Sleep(time.Hour)
	}
}

// sayNewline says that it is ready on the descriptor that is its argument, after the
// time that is the next one; "never" closes it.
func sayNewline(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(number), "newline")
	if args[1] == "never" {
		f.Close()
		select {}
	}
	wait, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	time.Sleep(wait)
	if _, err := f.WriteString("x\n"); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

// eatMemory takes as many MiB as its argument says.
func eatMemory(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var all [][]byte
	for range n {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		all = append(all, piece)
	}
	fmt.Println("ate", len(all))
	time.Sleep(time.Hour)
	return nil
}

// tellSockets prints what it was handed.
func tellSockets([]string) error {
	named, err := inherit.Take(os.LookupEnv)
	if err != nil {
		return err
	}
	for _, n := range named {
		fmt.Println("socket", n.Name)
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		fmt.Println(name, os.Getenv(name) != "")
	}
	time.Sleep(time.Hour)
	return nil
}

func tellIdentity([]string) error {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return err
	}
	defer status.Close()
	scanner := bufio.NewScanner(status)
	for scanner.Scan() {
		key, value, _ := strings.Cut(scanner.Text(), ":")
		if slices.Contains([]string{"Umask", "Uid", "Gid", "Groups", "NoNewPrivs"}, key) {
			fmt.Println(key, strings.Join(strings.Fields(value), " "))
		}
	}
	return scanner.Err()
}
