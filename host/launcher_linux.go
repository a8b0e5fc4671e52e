package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/dserver/dserver/internal/group"
)

// needsLauncher tells whether a master in single mode should run below a
// launcher. Its pid changes at each reload, so somebody has to stay in the
// foreground for a terminal, for `go run`, or for a container whose PID 1 this
// is. A debugger wants the process itself, and a service manager that speaks
// NOTIFY_SOCKET follows MAINPID.
func needsLauncher(stdin *os.File) bool {
	if os.Getenv(lifelineVar) != "" || os.Getenv("NOTIFY_SOCKET") != "" || traced() {
		return false
	}
	return os.Getpid() == 1 || term.IsTerminal(int(stdin.Fd())) || parentName() == "go"
}

func parentName() string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

func traced() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(status), "\nTracerPid:")
	pid, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(pid) != "0"
}

// launcher runs masters one after the other: the first as its child, successors
// as grandchildren that it inherits, being a subreaper. It forwards signals to
// the current one and ends with the last one's exit code.
type launcher struct {
	main    int // pid of the current master
	exits   map[int]syscall.WaitStatus
	masters chan int // pids from the lifeline; closed at its end
	orders  orders
}

// launch starts the own executable again with the same arguments and stays until
// no master is left. It returns the exit code.
func launch(ctx context.Context, args []string) (int, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("cannot become a subreaper: %w", err)
	}
	outliveReaders()
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, append(masterSignals(), syscall.SIGCHLD)...)
	defer signal.Stop(signals)

	l := &launcher{exits: make(map[int]syscall.WaitStatus), masters: make(chan int), orders: newOrders()}
	lifeline, err := l.start(args)
	if err != nil {
		return 0, err
	}
	readers := group.New(ctx, nil)
	readers.Go("lifeline", func(ctx context.Context) { l.read(ctx, lifeline) })
	code := l.stand(signals)
	lifeline.Close()
	return code, readers.Stop(ctx)
}

func (l *launcher) start(args []string) (*os.File, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find the own executable: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("cannot find the own executable: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make the lifeline: %w", err)
	}
	defer w.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), lifelineVar+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("cannot start the master: %w", err)
	}
	l.main = cmd.Process.Pid
	return r, nil
}

// read passes on what masters write.
func (l *launcher) read(ctx context.Context, lifeline *os.File) {
	defer close(l.masters)
	lines := bufio.NewScanner(lifeline)
	for lines.Scan() {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			continue
		}
		select {
		case l.masters <- pid:
		case <-ctx.Done():
			return
		}
	}
}

// stand forwards signals and reaps until the lifeline ends.
func (l *launcher) stand(signals <-chan os.Signal) int {
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGCHLD {
				l.reap()
				continue
			}
			l.forward(s.(syscall.Signal))
		case pid, ok := <-l.masters:
			if !ok {
				return l.last()
			}
			l.main = pid
		}
	}
}

// forward sends a signal on. The master below has no terminal of its own, so
// what a hangup means is decided here.
func (l *launcher) forward(s syscall.Signal) {
	if s == syscall.SIGHUP && l.orders.of(s) == orderStop {
		s = syscall.SIGTERM
	}
	// ESRCH: it has just ended, and the lifeline will tell.
	_ = syscall.Kill(l.main, s)
}

// reap takes note of the children that have ended.
func (l *launcher) reap() {
	for l.reapOne(syscall.WNOHANG) {
	}
}

// reapOne takes note of one child that has ended; false if there is none.
func (l *launcher) reapOne(flags int) bool {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, flags, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return false
		}
		l.exits[pid] = status
		return true
	}
}

// last is the exit code of the master that ended last. The lifeline ends a moment
// before that one can be waited for, and while its predecessor is still going it
// is not even a child yet.
func (l *launcher) last() int {
	for {
		if status, ok := l.exits[l.main]; ok {
			if status.Signaled() {
				return 128 + int(status.Signal())
			}
			return status.ExitStatus()
		}
		if !l.reapOne(0) {
			return exitFailed
		}
	}
}
