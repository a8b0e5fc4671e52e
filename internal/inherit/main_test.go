//go:build linux

package inherit_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
)

// standIn is the variable that turns the test binary into a child under test.
const standIn = "INHERIT_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(standIn) {
	case "":
		os.Exit(m.Run())
	case "answer":
		os.Exit(exitCode(answerOnce()))
	case "take":
		os.Exit(exitCode(takeAndTell()))
	}
	os.Exit(exitCode(fmt.Errorf("no such stand-in: %s", os.Getenv(standIn))))
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// answerOnce accepts one connection on each handed socket and says its name there.
func answerOnce() error {
	handed, err := inherit.TakeHanded(os.LookupEnv)
	if err != nil {
		return err
	}
	for _, h := range handed {
		ln, err := inherit.Listener(h.File)
		if err != nil {
			return err
		}
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(conn, h.Name); err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
		if err := ln.Close(); err != nil {
			return err
		}
	}
	return nil
}

// takeAndTell takes sockets over as a service manager's child does and tells on
// the second of them, which is a pipe, what it got.
func takeAndTell() error {
	handed, err := inherit.Take(os.LookupEnv)
	if err != nil {
		return err
	}
	var names []string
	for _, h := range handed {
		number, err := inherit.Number(h.File)
		if err != nil {
			return err
		}
		flags, err := unix.FcntlInt(number, unix.F_GETFD, 0)
		if err != nil {
			return err
		}
		names = append(names, fmt.Sprintf("%s cloexec=%t", h.Name, flags&unix.FD_CLOEXEC != 0))
	}
	_, err = io.WriteString(handed[1].File, strings.Join(names, ", "))
	return err
}

// spawn starts a stand-in with the given descriptors from 3 on. An argv runs it
// through another program first.
func spawn(t *testing.T, name string, env []string, files []syscall.Conn, argv ...string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv = append(argv, self)
	var pid int
	err = inherit.Numbers(append([]syscall.Conn{os.Stdin, os.Stdout, os.Stderr}, files...), func(numbers []uintptr) error {
		var err error
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			// A child built with the race detector would else sleep a second at its exit.
			Env:   append(inherit.Scrub(os.Environ()), append(env, standIn+"="+name, "GORACE=atexit_sleep_ms=0")...),
			Files: numbers,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func wait(t *testing.T, pid int) {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
		t.Errorf("child ended with %v, %v", status, err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
