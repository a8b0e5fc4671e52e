package supervise_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dserver/dserver/host/supervise"
	"github.com/dserver/dserver/internal/inherit"
	"github.com/dserver/dserver/internal/standin"
)

func TestExitTellsHowItEnded(t *testing.T) {
	s := spawner(t)
	for _, test := range []struct {
		name, arg string
		code      int
		signal    syscall.Signal
		text      string
	}{
		{"exit", "0", 0, 0, "exit status 0"},
		{"exit", "3", 3, 0, "exit status 3"},
		{"exit", "255", 255, 0, "exit status 255"},
		{"die", "9", -1, syscall.SIGKILL, "signal: killed"},
		{"die", "15", -1, syscall.SIGTERM, "signal: terminated"},
	} {
		p := start(t, s, child(t, test.name, test.arg))
		exit := await(t, p)
		if exit.Code != test.code || exit.Signal != test.signal || exit.String() != test.text {
			t.Errorf("%s %s: %+v (%v)", test.name, test.arg, exit, exit)
		}
		if exit.Success() != (test.code == 0) {
			t.Errorf("%s %s: success is %t", test.name, test.arg, exit.Success())
		}
		if !exit.Started.Equal(p.Started()) || exit.Ended.Before(exit.Started) {
			t.Errorf("%s %s: ran from %v to %v", test.name, test.arg, exit.Started, exit.Ended)
		}
	}
}

func TestCoreDumpIsSaid(t *testing.T) {
	exit := supervise.Exit{Code: -1, Signal: syscall.SIGSEGV, Core: true}
	if want := "signal: segmentation fault (core dumped)"; exit.String() != want {
		t.Errorf("got %q", exit)
	}
	if got := (supervise.Exit{Code: -1, Unknown: true}); got.String() != "exit status unknown" || got.Success() {
		t.Errorf("got %q", got)
	}
}

func TestStartSaysWhyItCannot(t *testing.T) {
	s := spawner(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	closedFile, err := os.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	closedFile.Close()
	before := descriptors(t)
	for want, change := range map[string]func(*supervise.Spec){
		"without a name":                            func(p *supervise.Spec) { p.Name = "" },
		"no arguments":                              func(p *supervise.Spec) { p.Args = nil },
		"not absolute":                              func(p *supervise.Spec) { p.Path = "true" },
		"contains a zero byte":                      func(p *supervise.Spec) { p.Env = []string{"A=\x00"} },
		"/none: no such file or directory":          func(p *supervise.Spec) { p.Path = dir + "/none" },
		plain + ": permission denied":               func(p *supervise.Spec) { p.Path = plain },
		"in its directory: stat " + dir + "/gone: ": func(p *supervise.Spec) { p.Dir = dir + "/gone" },
		plain + " is not a directory":               func(p *supervise.Spec) { p.Dir = plain },
		"use of closed file":                        func(p *supervise.Spec) { p.Files = []syscall.Conn{closedFile} },
		"cannot start exit: ":                       func(p *supervise.Spec) { p.Executable = closedFile },
	} {
		spec := child(t, "exit", "0")
		change(&spec)
		_, err := s.Start(spec)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot start ") {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	spec := child(t, "exit", "0")
	spec.Path = dir + "/none"
	if _, err := s.Start(spec); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not known as a missing file", err)
	}
	for _, path := range []string{dir + "/none", "none"} {
		var out, errs finishes
		spec.Path, spec.Stdout, spec.Stderr = path, &out, &errs
		if _, err := s.Start(spec); err == nil || out != 1 || errs != 1 {
			t.Errorf("%v: the sinks were finished %d and %d times", err, out, errs)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// finishes counts how often a Sink was finished.
type finishes int

func (*finishes) Write([]byte) {}
func (f *finishes) Finish()    { *f++ }
func (*finishes) Rest() []byte { return nil }

func TestEnvironmentIsTheChildsAlone(t *testing.T) {
	s := spawner(t)
	ours := os.Environ()
	seen := make(map[string]bool)
	for range 2 {
		out := newLines()
		spec := child(t, "env")
		spec.Env = []string{standin.Variable + "=" + standin.Value("env"), "ONE=1", "INVOCATION_ID=of the master", "GORACE=atexit_sleep_ms=0"}
		spec.Stdout = out.sink()
		p := start(t, s, spec)
		await(t, p)
		want := []string{standin.Variable + "=" + standin.Value("env"), "ONE=1", "GORACE=atexit_sleep_ms=0", "INVOCATION_ID=" + p.Invocation()}
		if got := out.list(); !slices.Equal(got, want) {
			t.Errorf("the child sees %q, want %q", got, want)
		}
		if len(p.Invocation()) != 32 || seen[p.Invocation()] {
			t.Errorf("the invocation is %q", p.Invocation())
		}
		seen[p.Invocation()] = true
	}
	if !slices.Equal(ours, os.Environ()) {
		t.Error("our own environment has changed")
	}
}

// handed makes pipes with a text each and gives their read ends.
func handed(t *testing.T, texts ...string) []syscall.Conn {
	t.Helper()
	var files []syscall.Conn
	for _, text := range texts {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		files = append(files, r)
	}
	return files
}

func TestFilesKeepTheirOrder(t *testing.T) {
	s := spawner(t)
	files := handed(t, "a", "b", "c", "d", "e", "f", "g")
	slices.Reverse(files)
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	out := newLines()
	spec := child(t, "cat", "7")
	spec.Files, spec.Stdout = files, out.sink()
	spec.Executable, spec.Path = self, "/none"
	await(t, start(t, s, spec))
	want := []string{"3=g", "4=f", "5=e", "6=d", "7=c", "8=b", "9=a"}
	if got := out.list(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNothingElseIsInherited(t *testing.T) {
	out := newLines()
	spec := supervise.Spec{Name: "ls", Path: "/bin/ls", Args: []string{"ls", "/proc/self/fd"}, Stdout: out.sink()}
	spec.Files = handed(t, "a", "b")
	await(t, start(t, spawner(t), spec))
	want := []string{"0", "1", "2", "3", "4", "5"} // 5 is the directory that ls reads
	if got := out.list(); !slices.Equal(got, want) {
		t.Errorf("the child has %q", got)
	}
}

func TestLaterVariableCounts(t *testing.T) {
	out := newLines()
	spec := supervise.Spec{Name: "env", Path: "/usr/bin/env", Args: []string{"env"}, Env: []string{"A=1", "B=2", "A=3"}, Stdout: out.sink()}
	p := start(t, spawner(t), spec)
	await(t, p)
	if got, want := out.list(), []string{"B=2", "A=3", "INVOCATION_ID=" + p.Invocation()}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The number of the executable must not be overwritten while the child arranges
// its descriptors, wherever it lies among them.
func TestExecutableSurvivesEveryArrangement(t *testing.T) {
	s := spawner(t)
	for n := range 12 {
		texts := slices.Repeat([]string{"x"}, n)
		self, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		spec := child(t, "cat", fmt.Sprint(n))
		spec.Files, spec.Executable = handed(t, texts...), self
		if n%2 == 1 {
			slices.Reverse(spec.Files)
		}
		if exit := await(t, start(t, s, spec)); !exit.Success() {
			t.Errorf("%d files: %v", n, exit)
		}
		self.Close()
	}
}

func TestSharedSocketsStayNonblocking(t *testing.T) {
	s := spawner(t)
	socket, err := inherit.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for range 20 {
		spec := child(t, "exit", "0")
		spec.Files = []syscall.Conn{socket}
		await(t, start(t, s, spec))
		number, err := inherit.Number(socket)
		if err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(number, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Fatalf("the socket's mode is %#x, %v", flags, err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestExecutableRunsAfterItsPathIsReplacedOrGone(t *testing.T) {
	s := spawner(t)
	spec := child(t, "executable")
	path := filepath.Join(t.TempDir(), "app")
	copyFile(t, spec.Path, path)
	app, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	spec.Executable, spec.Path = app, ""
	run := func(when string) {
		t.Helper()
		out := newLines()
		spec.Stdout = out.sink()
		if exit := await(t, start(t, s, spec)); !exit.Success() || len(out.list()) != 1 {
			t.Errorf("%s: %v, %q", when, exit, out.list())
		}
	}
	run("untouched")
	copyFile(t, "/bin/false", path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	run("replaced")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	run("removed")
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	out := newLines()
	await(t, start(t, spawner(t), supervise.Spec{Name: "pwd", Path: "/bin/pwd", Args: []string{"pwd", "-P"}, Dir: dir, Stdout: out.sink()}))
	if got := out.list(); len(got) != 1 || got[0] != dir {
		t.Errorf("works in %q, want %q", got, dir)
	}
}

func TestProcessLeadsItsOwnSession(t *testing.T) {
	out := newLines()
	spec := child(t, "wait")
	spec.Stdout = out.sink()
	p := start(t, spawner(t), spec)
	out.next(t)
	if sid, err := unix.Getsid(p.Pid()); sid != p.Pid() || err != nil {
		t.Errorf("process %d is in session %d, %v", p.Pid(), sid, err)
	}
	if pgid, err := unix.Getpgid(p.Pid()); pgid != p.Pid() || err != nil {
		t.Errorf("process %d is in group %d, %v", p.Pid(), pgid, err)
	}
}

// A thread that ends takes no child with it.
func TestChildrenOutliveTheThreadThatStartedThem(t *testing.T) {
	s := spawner(t)
	const count = 100
	processes := make([]*supervise.Process, count)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			p, err := s.Start(supervise.Spec{Name: "sleep", Path: "/bin/sleep", Args: []string{"sleep", "1000"}})
			if err != nil {
				t.Error(err)
				return
			}
			processes[i] = p
		})
	}
	wg.Wait()
	for _, p := range processes {
		if p == nil {
			continue
		}
		report, err := p.Stop(t.Context(), nil)
		if err != nil || report.Exit.Signal != syscall.SIGTERM || len(report.Sent) != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	s := spawner(t)
	spec := child(t, "print", "x")
	await(t, start(t, s, spec)) // whatever is opened once was open now
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec = supervise.Spec{Name: "true", Path: "/bin/true", Args: []string{"true"}}
	before := allDescriptors(t)
	for range 200 {
		p, err := s.Start(spec)
		if err != nil {
			t.Fatal(err)
		}
		await(t, p)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The spawner of the test before may have closed its own meanwhile.
	if after := allDescriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestQuietProcessesCostLittle(t *testing.T) {
	const count = 200
	s := spawner(t)
	start(t, s, program("/bin/sleep", "1000")) // what is there once is there now
	inUse := func() (bytes, goroutines int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapInuse + m.StackInuse), runtime.NumGoroutine()
	}
	bytesBefore, goroutinesBefore := inUse()
	processes := make([]*supervise.Process, count)
	for i := range processes {
		processes[i] = start(t, s, program("/bin/sleep", "1000"))
	}
	bytes, goroutines := inUse()
	if n := goroutines - goroutinesBefore; n > 0 {
		t.Errorf("%d goroutines for %d processes", n, count)
	}
	// The cleanup of the test takes some of it.
	if each := (bytes - bytesBefore) / count; each > 8<<10 {
		t.Errorf("%d bytes for each process", each)
	}
}

// TestManyStartsAtOnceHoldFewDescriptors: those that wait for their turn have none.
func TestManyStartsAtOnceHoldFewDescriptors(t *testing.T) {
	const starts, kept, preparing = 100, 3, 40 // kept: two pipes and the pidfd
	s := spawner(t)
	before := descriptors(t)
	spec := supervise.Spec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}
	var all sync.WaitGroup
	for i := range starts {
		all.Go(func() {
			spec := spec
			spec.Name = fmt.Sprint("sleep-", i)
			spec.Stdout, spec.Stderr = newLines().sink(), newLines().sink()
			start(t, s, spec)
		})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		all.Wait()
	}()
	most := 0
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
		}
		most = max(most, descriptors(t)-before)
	}
	if most > starts*kept+preparing {
		t.Errorf("%d descriptors at a time, for %d processes", most, starts)
	}
	if most < starts*kept {
		t.Errorf("only %d descriptors were seen", most)
	}
}
