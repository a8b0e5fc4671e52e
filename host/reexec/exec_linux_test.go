package reexec_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/reexec"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

// journey is the state of generations.
type journey struct {
	Pid     int
	Here    int      // number of the generation
	Paths   []string // of the executables that generations take in turn
	Visited []string // executables that ran
	Ballast string
	Address string // of the kept listener
	Child   []string
}

// generations runs args[0] generations, of two executables in turn, and prints its
// state in the last one.
func generations(t *reexec.Taken, err error) error {
	var j journey
	if err := resume(t, err, &j); err != nil {
		return err
	}
	var files []*os.File
	if t == nil {
		files, err = setOut(&j)
	} else {
		files, err = goOn(t, &j)
	}
	if err != nil {
		return err
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	j.Visited = append(j.Visited, exe)
	if j.Here++; j.Here == len(j.Visited) && j.Here == 6 {
		j.Ballast = fmt.Sprint(len(j.Ballast))
		return show(j)
	}
	image, err := self(j)
	if err != nil {
		return err
	}
	image.Path, image.Files = j.Paths[j.Here%2], conns(files)
	return reexec.Exec(context.Background(), image)
}

func conns(files []*os.File) []syscall.Conn {
	var list []syscall.Conn
	for _, f := range files {
		list = append(list, f)
	}
	return list
}

// setOut opens a pipe that holds one byte for each generation, and a listener.
func setOut(j *journey) ([]*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if _, err := w.WriteString("123456789"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	socket, err := inherit.Dup(ln.(*net.TCPListener), "listener")
	if err != nil {
		return nil, err
	}
	pipe, err := inherit.Dup(r, "pipe")
	if err != nil {
		return nil, err
	}
	err = errors.Join(r.Close(), ln.Close())
	j.Pid, j.Paths, j.Address = os.Getpid(), os.Args[1:], ln.Addr().String()
	j.Ballast = strings.Repeat("0123456789abcdef", 1<<16)
	return []*os.File{pipe, socket}, err
}

// goOn looks at what was taken over, and uses it.
func goOn(t *reexec.Taken, j *journey) ([]*os.File, error) {
	if os.Getpid() != j.Pid {
		return nil, fmt.Errorf("the pid was %d, is %d", j.Pid, os.Getpid())
	}
	if _, set := os.LookupEnv("DSERVER_REEXEC"); set {
		return nil, errors.New("the variable is still set")
	}
	if t.Returned() != nil || len(t.Signals()) != 0 {
		return nil, fmt.Errorf("returned %v, signals %v", t.Returned(), t.Signals())
	}
	var files []*os.File
	for _, f := range t.Files() {
		number, err := inherit.Number(f)
		if err != nil {
			return nil, err
		}
		if flags, err := unix.FcntlInt(number, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			return nil, fmt.Errorf("%s is open on exec (%v)", f.Name(), err)
		}
		if flags, err := unix.FcntlInt(number, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			return nil, fmt.Errorf("%s is set to blocking mode (%v)", f.Name(), err)
		}
		mine, err := inherit.Dup(f, f.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, mine)
	}
	if err := t.Accept(); err != nil {
		return nil, err
	}
	if err := useFiles(files, j); err != nil {
		return nil, err
	}
	out, err := exec.Command("/bin/sh", "-c", `echo "[$DSERVER_REEXEC]" $(grep -E 'SigIgn|SigBlk' /proc/self/status) $(ls /proc/self/fd | wc -l)`).CombinedOutput()
	j.Child = append(j.Child, strings.TrimSpace(string(out)))
	return files, err
}

// useFiles reads the byte of this generation and takes a connection.
func useFiles(files []*os.File, j *journey) error {
	letter := make([]byte, 1)
	if _, err := files[0].Read(letter); err != nil || letter[0] != byte('0'+j.Here) {
		return fmt.Errorf("generation %d read %q, %v", j.Here, letter, err)
	}
	ln, err := inherit.Listener(files[1])
	if err != nil {
		return err
	}
	defer ln.Close()
	client, err := net.Dial("tcp", j.Address)
	if err != nil {
		return err
	}
	server, err := ln.Accept()
	if err != nil {
		return err
	}
	return errors.Join(client.Close(), server.Close())
}

func TestGenerationsFollowInOneProcess(t *testing.T) {
	paths := []string{executable(t), copyOf(t, executable(t))}
	cmd, out := program(t, "generations", paths...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var j journey
	if err := json.Unmarshal(out.Bytes(), &j); err != nil {
		t.Fatal(err)
	}
	if want := []string{paths[0], paths[1], paths[0], paths[1], paths[0], paths[1]}; !slices.Equal(j.Visited, want) {
		t.Errorf("ran %q", j.Visited)
	}
	if j.Pid != cmd.ProcessState.Pid() || j.Ballast != fmt.Sprint(16<<16) {
		t.Errorf("pid %d, %s bytes of ballast", j.Pid, j.Ballast)
	}
	for _, child := range j.Child {
		// Three standard descriptors, and that of the listed folder.
		if child != "[] SigBlk: 0000000000000000 SigIgn: 0000000000000000 4" {
			t.Errorf("a child sees %q", child)
		}
	}
}

func TestFailedExecLeavesAllAsItWas(t *testing.T) {
	dir := t.TempDir()
	garbage, plain := filepath.Join(dir, "garbage"), filepath.Join(dir, "plain")
	if err := errors.Join(os.WriteFile(garbage, []byte("not a program"), 0o700), os.WriteFile(plain, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	kept, err := os.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	closed, err := os.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	before, err := look()
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for want, change := range map[string]func(*reexec.Image) context.Context{
		"no arguments":                    func(i *reexec.Image) context.Context { i.Args = nil; return t.Context() },
		`"true" is not absolute`:          func(i *reexec.Image) context.Context { i.Path = "true"; return t.Context() },
		"contains a zero byte":            func(i *reexec.Image) context.Context { i.Env = []string{"A=\x00"}; return t.Context() },
		"none: no such file or directory": func(i *reexec.Image) context.Context { i.Path = dir + "/none"; return t.Context() },
		"it is not a file":                func(i *reexec.Image) context.Context { i.Path = dir; return t.Context() },
		"permission denied":               func(i *reexec.Image) context.Context { i.Path = plain; return t.Context() },
		"execve: exec format error":       func(i *reexec.Image) context.Context { i.Path = garbage; return t.Context() },
		"execve: argument list too long": func(i *reexec.Image) context.Context {
			i.Env = []string{strings.Repeat("A", 4<<20)}
			return t.Context()
		},
		"use of closed file":          func(i *reexec.Image) context.Context { i.Files = []syscall.Conn{closed}; return t.Context() },
		"cannot run " + plain + " in": func(i *reexec.Image) context.Context { i.File = closed; return t.Context() },
		"descriptor 1 of the list":    func(i *reexec.Image) context.Context { i.Files = []syscall.Conn{kept, kept}; return t.Context() },
		"(number 2) is there twice":   func(i *reexec.Image) context.Context { i.Files = []syscall.Conn{os.Stderr}; return t.Context() },
		"context canceled":            func(*reexec.Image) context.Context { return ended },
	} {
		image := reexec.Image{Path: executable(t), Args: []string{"program"}, Env: standin.Environ("none"), Files: []syscall.Conn{kept}}
		err := reexec.Exec(change(&image), image)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot run ") {
			t.Errorf("%v does not say %q", err, want)
		}
		after, err := look()
		if err != nil {
			t.Fatal(err)
		}
		if err := before.differences(after); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Errorf("%s: nothing can be started any more: %v", want, err)
		}
	}
}

// execWhileForking changes the program while it starts children all the time.
// Each child looks for descriptors that it should not have, and says so in the
// file that is the argument: whoever started it may be gone by then.
func execWhileForking(t *reexec.Taken, err error) error {
	var round int
	if err := resume(t, err, &round); err != nil {
		return err
	}
	if t != nil {
		if err := t.Accept(); err != nil {
			return err
		}
	}
	if round == 10 {
		for err == nil {
			_, err = syscall.Wait4(-1, nil, 0, nil)
		}
		fmt.Println("done")
		return nil
	}
	var files []syscall.Conn
	for range 300 {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		files = append(files, r)
		if err := w.Close(); err != nil {
			return err
		}
	}
	image, err := self(round + 1)
	if err != nil {
		return err
	}
	image.Files = files
	var running sync.WaitGroup
	running.Add(4)
	for range 4 {
		go func() {
			for first := true; ; first = false {
				_, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", `set -- "$0" /proc/$$/fd/*; [ $# -lt 10 ] || echo $# >>"$1"`, os.Args[1]},
					&syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: os.Environ()})
				if err != nil {
					fmt.Println(err)
				}
				if first {
					running.Done()
				}
			}
		}()
	}
	running.Wait()
	return reexec.Exec(context.Background(), image)
}

func TestChildrenThatAreForkedMeanwhileGetNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "descriptors")
	if out := run(t, "forking", path); out != "done\n" {
		t.Error(out)
	}
	if counts, err := os.ReadFile(path); err == nil {
		t.Errorf("children had so many descriptors: %s", counts)
	}
}

// manyTimes runs itself 200 times and compares what is open at the first and at
// the last.
func manyTimes(t *reexec.Taken, err error) error {
	var state struct {
		Round int
		First facts
	}
	if err := resume(t, err, &state); err != nil {
		return err
	}
	var files []syscall.Conn
	if t == nil {
		for range 20 {
			r, _, err := os.Pipe()
			if err != nil {
				return err
			}
			files = append(files, r)
		}
	} else {
		for _, f := range t.Files() {
			mine, err := inherit.Dup(f, f.Name())
			if err != nil {
				return err
			}
			files = append(files, mine)
		}
		if err := t.Accept(); err != nil {
			return err
		}
	}
	state.Round++
	if state.Round == 2 || state.Round == 201 {
		now, err := look()
		if err != nil || state.Round == 201 {
			fmt.Println(len(state.First.Descriptors)-len(now.Descriptors), state.First.Blocked == now.Blocked, state.First.Limit == now.Limit)
			return err
		}
		state.First = now
	}
	image, err := self(state)
	if err != nil {
		return err
	}
	image.Files = files
	return reexec.Exec(context.Background(), image)
}

func TestNothingPilesUp(t *testing.T) {
	if out := run(t, "flat"); out != "0 true true\n" {
		t.Errorf("descriptors more or less, signals, limit: %s", out)
	}
}

// limited changes, in vain if its argument says so, and shows the limits of open
// files that it and a child have.
func limited(t *reexec.Taken, err error) error {
	if err != nil {
		return err
	}
	if t != nil {
		if err := t.Accept(); err != nil {
			return err
		}
		return showLimits()
	}
	if err := showLimits(); err != nil {
		return err
	}
	image, err := self(1)
	if err != nil {
		return err
	}
	if len(os.Args) == 1 {
		return reexec.Exec(context.Background(), image)
	}
	image.Env = []string{strings.Repeat("A", 4<<20)}
	if err := reexec.Exec(context.Background(), image); err == nil || !strings.Contains(err.Error(), "too long") {
		return err
	}
	return showLimits()
}

func showLimits() error {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	out, err := exec.Command("/bin/sh", "-c", "ulimit -S -n").Output()
	fmt.Print(now.Cur, " ", string(out))
	return err
}

// TestLimitOfOpenFilesStays: Go raises the limit for itself alone, to one below
// the hard one.
func TestLimitOfOpenFilesStays(t *testing.T) {
	for args, want := range map[string]string{
		"":        "998 321\n998 321\n",
		"in vain": "998 321\n998 998\n", // see Exec
	} {
		cmd, out := program(t, "limited")
		cmd.Path = "/bin/sh"
		cmd.Args = []string{"sh", "-c", `ulimit -S -n 321; ulimit -H -n 999; exec "$0" $1`, executable(t), args}
		if err := cmd.Run(); err != nil || out.String() != want {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}
