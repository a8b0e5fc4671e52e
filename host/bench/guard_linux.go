package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// driverTime is how long the driver may take to clean up after a signal.
	driverTime = 20 * time.Second
	// sweepTime is how long killed processes may take to be gone.
	sweepTime = 10 * time.Second
)

// guard runs the driver in a process of its own and outlives it, whatever becomes
// of it. It inherits all that the measured supervisors leave behind, buries what
// ends, and when the driver has ended it kills the rest and removes the temporary
// folder. It gives the driver's exit code.
func guard(args []string) (int, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("cannot become the heir of orphans: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return 1, fmt.Errorf("cannot make a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	// Processes are known by their working folders, and these have no links in them.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	driver, err := startDriver(append([]string{roleDrive, dir}, args...))
	if err != nil {
		return 1, err
	}
	code := attend(driver, signals)
	return code, sweep()
}

// startDriver starts it so that it is told when the guard is killed.
func startDriver(args []string) (int, error) {
	// The kernel takes the end of the thread for the end of the parent.
	runtime.LockOSThread()
	path, err := os.Executable()
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(path, append([]string{os.Args[0]}, args...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("cannot start the driver: %w", err)
	}
	return pid, nil
}

// attend buries whatever ends until the driver does.
func attend(driver int, signals <-chan os.Signal) int {
	var late <-chan time.Time
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGCHLD {
				_ = syscall.Kill(driver, s.(syscall.Signal))
				late = time.After(driverTime)
			}
		case <-late:
			_ = syscall.Kill(driver, syscall.SIGKILL)
		}
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			if pid == driver {
				return exitCode(status)
			}
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}

// exitCode is as the shell gives it.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// sweep kills until there is no child left: the children of those killed come to
// this process.
func sweep() error {
	deadline := time.Now().Add(sweepTime)
	for {
		for _, pid := range childrenOf(os.Getpid()) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.ECHILD):
			return nil
		case pid == 0 && time.Now().After(deadline):
			return fmt.Errorf("cannot get rid of processes %v: they live on after SIGKILL", childrenOf(os.Getpid()))
		case pid == 0:
			time.Sleep(time.Millisecond) // to wait for any child knows no time limit
		}
	}
}
