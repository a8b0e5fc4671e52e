//go:build linux

package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// standIns are the processes under test by name.
func standIns() map[string]func(args []string) error {
	return map[string]func(args []string) error{
		"say":    say,
		"nested": sayNested,
		"count":  count,

		"successor":  nameSuccessor,
		"afterwards": sayAfterwards,
	}
}

func tell(lines ...string) error {
	return inherit.Notify(context.Background(), os.Getenv("NOTIFY_SOCKET"), lines...)
}

// say says each of its arguments and then lives until its input ends.
func say(args []string) error {
	for _, a := range args {
		if err := tell(strings.Split(a, "|")...); err != nil {
			return err
		}
	}
	fmt.Println("said")
	bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// sayNested has its arguments said by a process that is so many generations below,
// each of which has a session of its own and lives on.
func sayNested(args []string) error {
	depth, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if depth == 0 {
		return say(args[1:])
	}
	c, err := self("nested", append([]string{strconv.Itoa(depth - 1)}, args[1:]...)...)
	if err != nil {
		return err
	}
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c.Run()
}

// nameSuccessor starts a process in a session of its own, names it, and ends when a
// byte comes.
func nameSuccessor([]string) error {
	c, err := self("afterwards", strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	c.Stdin, c.Stdout = os.Stdin, os.Stdout
	if err := c.Start(); err != nil {
		return err
	}
	if err := tell(fmt.Sprint("MAINPID=", c.Process.Pid)); err != nil {
		return err
	}
	fmt.Println("named")
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}

// sayAfterwards says who it is once its parent is gone and it is told to.
func sayAfterwards(args []string) error {
	parent, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		return err
	}
	if strconv.Itoa(os.Getppid()) == args[0] {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(parent), Events: unix.POLLIN}}, 20_000); n != 1 {
			return fmt.Errorf("the parent lives on: %v", err)
		}
	}
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	if err := tell("STATUS=I am the one"); err != nil {
		return err
	}
	fmt.Println("said")
	in.ReadString('\n')
	return nil
}

// count says numbers, in order, and dies at once.
func count(args []string) error {
	most, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range most {
		if err := tell(fmt.Sprint("STATUS=", i)); err != nil {
			return err
		}
	}
	return nil
}

// self is a command that runs a stand-in in a session of its own.
func self(name string, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(path, args...)
	c.Env = append(standin.Environ(name), "GOMAXPROCS=2", "NOTIFY_SOCKET="+os.Getenv("NOTIFY_SOCKET")) // of a stand-in for its own
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c, nil
}

// program is a process under test whose output and input the test has.
type program struct {
	*exec.Cmd
	out *bufio.Reader
	in  io.Writer
}

// launch starts a command whose notices go to socket.
func launch(t testing.TB, socket string, c *exec.Cmd, environ ...string) *program {
	t.Helper()
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(append(c.Env, "NOTIFY_SOCKET="+socket), environ...)
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		timer := time.AfterFunc(10*time.Second, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		defer timer.Stop()
		c.Wait()
	})
	return &program{Cmd: c, out: bufio.NewReader(out), in: in}
}

// launchSelf starts a stand-in.
func launchSelf(t testing.TB, socket, name string, args ...string) *program {
	t.Helper()
	c, err := self(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, socket, c)
}

// line gives the next line of output.
func (p *program) line(t testing.TB) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v says no more: %v", p.Args, err)
	}
	return strings.TrimSuffix(line, "\n")
}
