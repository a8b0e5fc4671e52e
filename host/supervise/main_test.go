//go:build linux

package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// standIns are the children under test by name.
var standIns = map[string]func(args []string) error{
	"exit":            exitWith,
	"die":             dieBy,
	"env":             printEnvironment,
	"print":           printArguments,
	"lines":           printLines,
	"cat":             copyHanded,
	"wait":            waitForTerm,
	"stubborn":        ignoreTerm,
	"leave":           leaveBehind,
	"hold":            holdOutput,
	"master":          startAndDie,
	"survivor":        outliveMaster,
	"executable":      printExecutable,
	"open":            openAll,
	"restrict":        restrict,
	"limit other":     limitOther,
	"writer":          writeNumbered,
	"reap and follow": reapAndFollow,
	"exec relay":      execRelay,
	"succession":      succeedRelay,
	"take orphans":    takeOrphans,
	"keep":            keepRelay,
}

func TestMain(m *testing.M) {
	if code, is := standin.Run(standIns); is {
		os.Exit(code)
	}
	if err := inherit.CloseOnExec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(standin.Settle(code)) }))
}

func exitWith(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err == nil {
		os.Exit(code)
	}
	return err
}

func dieBy(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	signal.Reset()
	if err := unix.Kill(os.Getpid(), syscall.Signal(number)); err != nil {
		return err
	}
	select {}
}

func printEnvironment([]string) error {
	for _, entry := range os.Environ() {
		fmt.Println(entry)
	}
	return nil
}

func printArguments(args []string) error {
	_, err := fmt.Print(strings.Join(args, " "))
	return err
}

func printExecutable(args []string) error {
	path, err := os.Executable()
	fmt.Println(path, os.Args[0], args)
	return err
}

// printLines writes so many numbered lines to each stream, without a newline at
// the very end.
func printLines(args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		w := bufio.NewWriterSize(f, 700)
		for i := range count {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "line %d", i)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// copyHanded prints what it reads from its descriptors from 3 on.
func copyHanded(args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range count {
		text, err := io.ReadAll(os.NewFile(uintptr(3+i), "handed"))
		if err != nil {
			return err
		}
		fmt.Printf("%d=%s\n", 3+i, text)
	}
	return nil
}

func waitForTerm([]string) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	os.Exit(7)
	return nil
}

func ignoreTerm([]string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("ready")
	select {}
}

// leaveBehind starts two children, one in a group of its own, and is killed or
// exits as its argument says.
func leaveBehind(args []string) error {
	for _, own := range []bool{false, true} {
		pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{
			Files: []uintptr{0, 1, 2},
			Sys:   &syscall.SysProcAttr{Setpgid: own},
		})
		if err != nil {
			return err
		}
		fmt.Println(pid)
	}
	if args[0] == "exit" {
		return nil
	}
	select {}
}

// holdOutput exits and leaves a process in a session of its own that holds the
// output pipes.
func holdOutput([]string) error {
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	fmt.Print(pid)
	return err
}

// startAndDie is a master that starts a survivor and is killed.
func startAndDie(args []string) error {
	spec, err := childSpec("survivor", args...)
	if err != nil {
		return err
	}
	ready := make(chan struct{}, 1)
	spec.Stdout = supervise.EachLine(func([]byte, bool) { ready <- struct{}{} })
	if _, err := supervise.New(supervise.Options{}).Start(spec); err != nil {
		return err
	}
	<-ready
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

// outliveMaster waits until its master has died, writes to its output, and then
// tells whoever reads the named pipe that is its argument.
func outliveMaster(args []string) error {
	master, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(master), Events: unix.POLLIN}}, 20_000); n != 1 {
		return fmt.Errorf("the master lives on: %v", err)
	}
	for range 100 {
		if _, err := fmt.Println("still here"); err != nil {
			return err
		}
	}
	pipe, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = pipe.WriteString("alive")
	return errors.Join(err, pipe.Close())
}

func childSpec(name string, args ...string) (supervise.Spec, error) {
	self, err := os.Executable()
	return supervise.Spec{
		Name: name,
		Path: self,
		Args: append([]string{"child"}, args...),
		Env:  standin.Environ(name),
	}, err
}

func child(t testing.TB, name string, args ...string) supervise.Spec {
	t.Helper()
	spec, err := childSpec(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// spawner gives a Spawner that the test waits for at its end.
func spawner(t testing.TB) *supervise.Spawner {
	s := supervise.New(supervise.Options{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func start(t testing.TB, s *supervise.Spawner, spec supervise.Spec) *supervise.Process {
	t.Helper()
	p, err := s.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(stopped(), nil) })
	return p
}

// stopped is a context that has ended: what is stopped with it is killed.
func stopped() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func await(t testing.TB, p *supervise.Process) supervise.Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end; its output: %q", p.Name(), p.Tail())
	}
	return p.Exit()
}

// lines collects output and tells of each line.
type lines struct {
	mu   sync.Mutex
	all  []string
	told chan string
}

func newLines() *lines { return &lines{told: make(chan string, 1000)} }

func (l *lines) sink() supervise.Sink { return supervise.EachLine(l.add) }

func (l *lines) add(line []byte, _ bool) {
	l.mu.Lock()
	l.all = append(l.all, string(line))
	l.mu.Unlock()
	select {
	case l.told <- string(line):
	default:
	}
}

func (l *lines) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *lines) next(t testing.TB) string {
	t.Helper()
	select {
	case line := <-l.told:
		return line
	case <-time.After(20 * time.Second):
		t.Fatal("no output")
		return ""
	}
}

// descriptors counts those that are open, besides what a Spawner keeps until Wait:
// its polls, and the list of our children.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && target != "anon_inode:[eventpoll]" && !strings.HasSuffix(target, "/children") {
			count++
		}
	}
	return count
}

// allDescriptors counts them all.
func allDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
